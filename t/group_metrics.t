# group_metrics: counters of all workers, through reloads.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;

use Test::Gateway;

my $t = Test::Gateway->new(workers => 2);
my $u = $t->upstream(sub {
    return [200, ['Content-Type' => 'application/json'],
        '{"id":"3fa85f64-5717-4562-b3fc-2c963f66afa6","name":"n",'
        . '"sticky_sender":false,"phone_number_count":0}'];
});

$t->nginx(server => <<"EOT");
location /api/ {
    group_dialect signalwire;
    proxy_pass http://@{[$u->address]};
}
location = /metrics { group_metrics; }
EOT

sub metrics {
    my $r = $t->get('/metrics');
    return $r->body =~ /^(nginx_group_\S+) (\d+)$/mg;
}

my $uri = '/api/relay/rest/number_groups';
$t->post($uri, json => {name => 'n'}) for 1 .. 3;
$t->post($uri, json => {name => ''});
$t->get('/api/relay/rest/nothing');

my $r = $t->get('/metrics');
is($r->status, 200, 'status');
is($r->header('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8',
    'media type');

my @lines = split /\n/, $r->body;
my %type = map { /^# TYPE (\S+) counter$/ ? ($1 => 1) : () } @lines;
is(scalar(grep { !/^#/ && !(/^([a-z_]+)(?:\{outcome="[a-z_]+"\})? \d+$/
    && $type{$1}) } @lines), 0, 'each line is a counter with a type');

my %m = metrics();
is($m{'nginx_group_requests_total{outcome="done"}'}, 3, 'done');
is($m{'nginx_group_requests_total{outcome="invalid"}'}, 1, 'invalid');
is($m{'nginx_group_requests_total{outcome="not_found"}'}, 1, 'not found');
is($m{nginx_group_upstream_calls_total}, 3, 'calls');
is($m{nginx_group_plan_undos_total}, 0, 'undone');

$t->reload;
$t->post($uri, json => {name => 'n'});
%m = metrics();
is($m{'nginx_group_requests_total{outcome="done"}'}, 4, 'after a reload');

is($t->post('/metrics')->status, 405, 'read only');

$t->config_fails('group_metrics;', qr/"group_metrics" directive is not/);

done_testing;
