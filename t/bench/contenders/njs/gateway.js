// What "group_dialect signalwire; group_upstream_dialect vinyldns;" does,
// written by hand for njs, for speed, and for group.create only: the other
// operations are matched and answered with 501.
//
// A request is one js_content and one r.subrequest. A js_body_filter would
// see the upstream's answer when its status and length are gone already.
// Everything at the top of this file is made anew for each request, so there
// is little; tables are preloaded (njs-http.conf) or are a switch.
//
// It checks less than the module does: JSON.parse lets duplicate keys, numbers
// like 01 and, outside "name", U+0000 through, invalid UTF-8 becomes U+FFFD,
// and the items of an array are not limited. Secrets are not compared in
// constant time. It drops fewer headers of the client's (njs.conf names them;
// the module knows prefixes, too), knows no paths with an encoded slash, and
// has neither log lines nor variables.

import crypto from 'crypto';

export default { handle };


function handle(r) {
    const path = r.uri;
    const method = r.method;
    const known = path === '/api/relay/rest/number_groups'
                  && method === 'POST';

    if (!known && !allowed(r, path, method)) {
        return;
    }

    const caller = authenticate(r.headersIn.Authorization);

    if (!caller) {
        r.headersOut['WWW-Authenticate'] = 'Basic realm="SignalWire"';
        respond(r, 401, '{"error":"Unauthorized"}');
        return;
    }

    if (!has(caller.scopes, 'numbers')) {
        respond(r, 401, '{"error":"Unauthorized"}');
        return;
    }

    if (!known) {
        respond(r, 501, '{"error":"Not Implemented"}');
        return;
    }

    create(r);
}


// whether there is such an operation; the answer is given when there is none

function allowed(r, path, method) {
    const methods = route(path);

    if (!methods) {
        respond(r, 404, '{"error":"Not Found"}');
        return false;
    }

    if (!methods.split(', ').includes(method)) {
        r.headersOut.Allow = methods;
        respond(r, 405, '{"error":"Method Not Allowed"}');
        return false;
    }

    return true;
}


// the methods of a path

function route(path) {
    if (path === '/api/relay/rest/number_groups') {
        return 'GET, POST';
    }

    if (!path.startsWith('/api/relay/rest/')) {
        return undefined;
    }

    const part = path.slice(16).split('/');
    const id = part[1];

    if (!id || id === '.' || id === '..') {
        return undefined;
    }

    if (part[0] === 'number_groups') {
        if (part.length === 2) {
            return 'GET, PUT, DELETE';
        }

        if (part.length === 3 && part[2] === 'number_group_memberships') {
            return 'GET, POST';
        }

    } else if (part[0] === 'number_group_memberships' && part.length === 2) {
        return 'GET, DELETE';
    }

    return undefined;
}


// the caller; the time does not tell an unknown id from a wrong secret

function authenticate(authorization) {
    let pair;

    if (!authorization
        || (!authorization.startsWith('Basic ')
            && authorization.slice(0, 6).toLowerCase() !== 'basic '))
    {
        return undefined;
    }

    try {
        pair = atob(authorization.slice(6));

    } catch (e) {
        return undefined;
    }

    const colon = pair.indexOf(':');

    if (colon < 0) {
        return undefined;
    }

    const caller = find(pair.slice(0, colon), pair.slice(colon + 1));

    // atob() is faster than a Buffer, but makes a character of each byte

    if (!caller && /[^\x00-\x7f]/.test(pair)) {
        pair = Buffer.from(authorization.slice(6).trim(), 'base64');

        return find(pair.slice(0, colon).toString(), pair.slice(colon + 1));
    }

    return caller;
}


function find(id, secret) {
    const digest = crypto.createHash('sha256').update(secret).digest('hex');
    const list = credentials.credentials;

    for (let i = 0; i < list.length; i++) {
        const one = list[i];

        if (one.id === id && one.type === 'basic'
            && one.secret_sha256 === digest)
        {
            return one;
        }
    }

    return undefined;
}


// preloaded arrays have no methods

function has(list, text) {
    for (let i = 0; list && i < list.length; i++) {
        if (list[i] === text) {
            return true;
        }
    }

    return false;
}


function respond(r, status, body) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, body);
}


function invalid(r, problems) {
    respond(r, 422, JSON.stringify({ errors: problems }));
}


function problem(detail, code) {
    return { detail: detail, status: '422', title: 'Invalid Attribute',
             code: code || 'invalid_parameter' };
}


function is_json(value) {
    return /^application\/json(?:[; \t]|$)/i.test(value);
}


function parse(text) {
    try {
        return JSON.parse(text);

    } catch (e) {
        return undefined;
    }
}


function is_object(value) {
    return typeof value === 'object' && value !== null
           && !Array.isArray(value);
}


// group.create

function create(r) {
    const headers = r.headersIn;
    const type = headers['Content-Type'];
    const encoding = headers['Content-Encoding'];
    const text = body_of(r);

    if (!text) {
        respond(r, 400, '{"error":"Bad Request"}');
        return;
    }

    if ((type && type !== 'application/json' && !is_json(type))
        || (encoding && encoding.toLowerCase() !== 'identity'))
    {
        respond(r, 415, '{"error":"Unsupported Media Type"}');
        return;
    }

    const group = parse(text);

    if (!is_object(group)) {
        respond(r, 400, '{"error":"Bad Request"}');
        return;
    }

    const name = group.name;
    const sticky = group.sticky_sender;
    const has_sticky = sticky !== undefined && sticky !== null;
    const bad_sticky = has_sticky && typeof sticky !== 'boolean';

    if ((typeof name !== 'string' || name.length > 255 || name < '!'
         || name.indexOf('\0') >= 0 || bad_sticky)
        && refuse(r, name, bad_sticky))
    {
        return;
    }

    const text_of_name = JSON.stringify(name);

    r.subrequest('/vinyldns/groups', {
        method: 'POST',
        body: '{"name":' + text_of_name + settings.tail
    }, function(answer) {
        if (has_sticky) {
            r.headersOut['Group-Lost'] = 'sticky_sender';
        }

        finish(r, answer, name, text_of_name, sticky);
    });
}


// it may be larger than client_body_buffer_size

function body_of(r) {
    try {
        return r.requestText;

    } catch (e) {
        return require('fs').readFileSync(r.variables.request_body_file,
                                          'utf8');
    }
}


function refuse(r, name, bad_sticky) {
    const problems = [];

    if (typeof name === 'string' && name.indexOf('\0') >= 0) {
        respond(r, 400, '{"error":"Bad Request"}');
        return true;
    }

    if (name === undefined || name === null
        || (typeof name === 'string' && !/[^\x00-\x20]/.test(name)))
    {
        problems.push(problem("Name can't be blank",
                              'missing_required_parameter'));

    } else if (typeof name !== 'string') {
        problems.push(problem('name is of the wrong type'));

    } else if (name.length > 255) {
        problems.push(problem('Name is too long (maximum is 255 '
                              + 'characters)'));
    }

    if (bad_sticky) {
        problems.push(problem('sticky_sender is of the wrong type'));
    }

    if (problems.length === 0) {
        return false;
    }

    invalid(r, problems);

    return true;
}


// the answer of VinylDNS

function finish(r, answer, name, text_of_name, sticky) {
    const headers = answer.headersOut;
    const out = r.headersOut;
    const id = headers['X-Request-Id'];
    const after = headers['Retry-After'];
    const parent = headers.traceparent;
    const state = headers.tracestate;

    if (id) {
        out['X-Request-Id'] = id;
    }

    if (after) {
        out['Retry-After'] = after;
    }

    if (parent) {
        out.traceparent = parent;
    }

    if (state) {
        out.tracestate = state;
    }

    if (answer.status !== 200) {
        upstream_error(r, answer);
        return;
    }

    const group = read_group(answer, headers);

    if (!group) {
        respond(r, 502, '{"error":"Bad Gateway"}');
        return;
    }

    respond(r, 200, '{"id":' + JSON.stringify(client_id(group.id))
                    + ',"name":' + (group.name === name ? text_of_name
                                    : JSON.stringify(group.name))
                    + (sticky ? ',"sticky_sender":true'
                              : ',"sticky_sender":false')
                    + ',"phone_number_count":' + group.members.length + '}');
}


// undefined when it is not as VinylDNS's are; null.id is an exception, too

function read_group(answer, headers) {
    const type = headers['Content-Type'];
    const encoding = headers['Content-Encoding'];

    if (!type || (type !== 'application/json' && !is_json(type))
        || (encoding && encoding.toLowerCase() !== 'identity'))
    {
        return undefined;
    }

    try {
        const group = JSON.parse(answer.responseText);
        const description = group.description;
        const created = group.created;
        const status = group.status;

        if (typeof group.id !== 'string' || typeof group.name !== 'string'
            || typeof group.email !== 'string'
            || (typeof description !== 'string' && description !== undefined
                && description !== null)
            || (typeof created !== 'string' && created !== undefined
                && created !== null)
            || (typeof status !== 'string' && status !== undefined
                && status !== null))
        {
            return undefined;
        }

        let list = group.members;

        for (let twice = 0; twice < 2; twice++) {

            if (!Array.isArray(list)) {
                return undefined;
            }

            for (let i = 0; i < list.length; i++) {
                if (typeof list[i].id !== 'string') {
                    return undefined;
                }
            }

            list = group.admins;
        }

        return group;

    } catch (e) {
        return undefined;
    }
}


function upstream_error(r, answer) {
    switch (answer.status) {

    case 400:
    case 422:
        invalid(r, [problem(error_text(answer))]);
        return;

    case 409:
        invalid(r, [problem(error_text(answer), 'value_not_unique')]);
        return;

    case 403:
        respond(r, 403, '{"error":"Forbidden"}');
        return;

    case 404:
    case 410:
        respond(r, 404, '{"error":"Not Found"}');
        return;

    case 413:
        respond(r, 413, '{"error":"Payload Too Large"}');
        return;

    case 429:
        respond(r, 429, '{"error":"Too Many Requests"}');
        return;

    case 500:
        respond(r, 500, '{"error":"Internal Server Error"}');
        return;

    case 501:
        respond(r, 501, '{"error":"Not Implemented"}');
        return;

    case 503:
        respond(r, 503, '{"error":"Service Unavailable"}');
        return;

    case 504:
        respond(r, 504, '{"error":"Gateway Timeout"}');
        return;

    default:
        respond(r, 502, '{"error":"Bad Gateway"}');
    }
}


// what the upstream says of its error: a JSON string or {"errors": [...]}

function error_text(answer) {
    const type = answer.headersOut['Content-Type'];
    let text;

    if (type && is_json(type)) {
        text = parse(answer.responseText);

        if (is_object(text) && Array.isArray(text.errors)) {
            text = text.errors.filter(function(one) {
                return typeof one === 'string' && one !== '';
            }).join('; ');
        }

    } else if (type && /^text\/plain/i.test(type)) {
        text = answer.responseText;
    }

    // a bare reason says no more than the status

    if (typeof text !== 'string' || text === ''
        || has(settings.reasons, text))
    {
        return 'Unprocessable Entity';
    }

    const bytes = Buffer.from(text);

    if (bytes.length <= 512) {
        return text;
    }

    let last = 512;

    while (bytes[last - 1] >= 128 && bytes[last - 1] < 192) {
        last--;
    }

    return bytes.slice(0, last - 1).toString();
}


// Identifiers: SignalWire's are UUIDs. Others are put into one, of version 8
// and with a mark, or pass with "~" before them.

function client_id(id) {
    const first = id.charCodeAt(0);

    // nearly always: a UUID that is none of ours

    return (id.length > 28 && first !== 54 && first !== 126) ? id : odd_id(id);
}


function odd_id(id) {
    if (id === '') {
        return id;
    }

    const bytes = Buffer.from(id);
    let payload = number_payload(id);

    if (payload) {
        return uuid(1, 0, payload);
    }

    payload = base64_payload(id);

    if (payload) {
        return uuid(2, 0, payload);
    }

    if (bytes.length <= 8) {
        return uuid(3, bytes.length, bytes);
    }

    return (id[0] === '~' || is_ours(id)) ? '~' + id : id;
}


// whether a UUID is one of ours, so that it would not come back as it is

function is_ours(id) {
    if (!/^6e677267-0[123][\da-f]{2}-80[\da-f]{2}-80[\da-f]{2}-[\da-f]{12}$/i
        .test(id))
    {
        return false;
    }

    const bytes = Buffer.from(id.split('-').join(''), 'hex');
    const length = bytes[5];

    if (bytes[4] < 3) {
        return length === 0;
    }

    if (length === 0 || length > 8) {
        return false;
    }

    const payload = [bytes[7]];

    for (let i = 9; i < 16; i++) {
        payload.push(bytes[i]);
    }

    for (let i = length; i < 8; i++) {
        if (payload[i]) {
            return false;
        }
    }

    const text = Buffer.from(payload.slice(0, length)).toString();

    return !number_payload(text) && !base64_payload(text);
}


function base64_payload(text) {
    if (text.length > 28) {
        return undefined;
    }

    const inner = Buffer.from(text, 'base64');

    return inner.toString('base64') === text
           ? number_payload(inner.toString()) : undefined;
}


// a decimal number to 8 bytes

function number_payload(text) {
    if (!/^(?:0|[1-9]\d{0,19})$/.test(text)) {
        return undefined;
    }

    const bytes = [0, 0, 0, 0, 0, 0, 0, 0];

    for (let i = 0; i < text.length; i++) {
        let carry = text.charCodeAt(i) - 48;

        for (let k = 7; k >= 0; k--) {
            carry += bytes[k] * 10;
            bytes[k] = carry & 255;
            carry >>= 8;
        }

        if (carry) {
            return undefined;
        }
    }

    return bytes;
}


function uuid(kind, length, payload) {
    const bytes = [0x6e, 0x67, 0x72, 0x67, kind, length, 0x80,
                   payload[0] || 0, 0x80];

    for (let i = 1; i < 8; i++) {
        bytes.push(payload[i] || 0);
    }

    return Buffer.from(bytes).toString('hex').replace(
        /^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
