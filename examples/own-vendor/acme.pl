#!/usr/bin/env perl

# Acme Teams, emulated: the vendor that acme.lua describes.
#
#   perl acme.pl --listen http://127.0.0.1:9301
#
# Default credential: the bearer token acme-emulated-token. Options, beside
# those in ../vendors/lib/Vendor.pm:
#
#   --token TOKEN    instead of the default one, may be repeated
#   --first-id N     of the first team, default 4001
#
# POST /_emulator/seed takes {"teams": [{"title", "about", "people": [ids]}]}.

use Mojolicious::Lite -signatures;

use FindBin;
use lib "$FindBin::Bin/../vendors/lib";

use Mojo::JSON qw(false true);
use Vendor qw(is_boolean is_string json_body media_type timestamp);

my (%team, $next_id);

my $vendor = Vendor->new(
    name      => 'acme',
    app       => app,
    missing   => \&missing,
    refuse    => sub ($c, $why) { fault($c, 400, 'malformed', $why) },
    on_reset  => \&reset_state,
    on_seed   => \&seed,
    on_seeded => sub { {teams => [map { shown($_) } sorted()]} },
);

my $option = $vendor->getopt('token=s@', 'first-id=i');
my %token  = map { ($_ => 1) } @{$option->{token} // ['acme-emulated-token']};

app->types->type(json => 'application/json');
$vendor->install;

under '/acme/v3' => \&authorized;

post '/teams' => sub ($c) {
    my $body = team_body($c) // return;
    $c->render(json => {team => shown(add_team($body))}, status => 201);
};

get '/teams' => sub ($c) {
    my $query = $c->req->query_params->to_hash;

    for my $name (sort keys %$query) {
        return fault($c, 400, 'malformed', "unknown parameter $name")
            if $name !~ /^(?:like|from|size)$/ || ref $query->{$name};
    }

    my $from = $query->{from} // 0;
    my $size = $query->{size} // 20;
    return fault($c, 400, 'malformed', 'from or size')
        if $from !~ /^\d{1,9}$/ || $size !~ /^\d{1,2}$/ || $size < 1
        || $size > 50;

    my $like  = lc($query->{like} // '');
    my @found = grep { index(lc $_->{title}, $like) >= 0 } sorted();
    my $all   = @found;

    splice @found, 0, $from < $all ? $from : $all;
    splice @found, $size if $size < @found;

    $c->render(json => {
        page  => {from => $from + 0, size => $size + 0, all => $all},
        teams => [map { shown($_) } @found],
    });
};

get '/teams/#number' => sub ($c) {
    my $team = existing($c) // return;
    $c->render(json => {team => shown($team)});
};

put '/teams/#number' => sub ($c) {
    my $team = existing($c)  // return;
    my $body = team_body($c) // return;
    my %same = map { $_ => $team->{$_} } qw(number state since);
    %$team = (%$body, %same);
    $c->render(json => {team => shown($team)});
};

del '/teams/#number' => sub ($c) {
    my $team = existing($c) // return;
    delete $team{$team->{number}};
    $c->rendered(204);
};

get '/teams/#number/people' => sub ($c) {
    my $team = existing($c) // return;
    $c->render(json => {people => shown($team)->{people}});
};

put '/teams/#number/people/#person' => sub ($c) {
    my $team   = existing($c) // return;
    my $person = $c->stash('person');
    return fault($c, 404, 'nobody', "there is no person $person")
        if $person !~ /^\d{1,18}$/;

    push @{$team->{people}}, {person => $person}
        if !grep { $_->{person} eq $person } @{$team->{people}};
    $c->rendered(204);
};

del '/teams/#number/people/#person' => sub ($c) {
    my $team   = existing($c) // return;
    my $person = $c->stash('person');
    my @others = grep { $_->{person} ne $person } @{$team->{people}};
    return fault($c, 404, 'nobody', "$person is not in this team")
        if @others == @{$team->{people}};

    $team->{people} = \@others;
    $c->rendered(204);
};

$vendor->run;

sub sorted { return sort { $a->{number} <=> $b->{number} } values %team }

sub authorized ($c) {
    my $header = $c->req->headers->authorization // '';
    return 1 if $header =~ /^Bearer (\S+)$/i && $token{$1};

    $c->res->headers->www_authenticate('Bearer realm="Acme"');
    fault($c, 401, 'who', 'sign in first');
    return 0;
}

sub fault ($c, $status, $kind, $says, @fields) {
    my %fault = (kind => $kind, says => $says);
    $fault{fields} = [map { {name => $_->[0], why => $_->[1]} } @fields]
        if @fields;
    return $c->render(json => {fault => \%fault}, status => $status);
}

sub missing ($c) {
    return if !authorized($c);
    return fault($c, 404, 'nothing', 'there is nothing here');
}

sub existing ($c) {
    my $number = $c->stash('number');
    my $team   = $team{$number};
    fault($c, 404, 'nothing', "there is no team $number") if !$team;
    return $team;
}

# The fields of a team; undef when a refusal is sent.
sub team_body ($c) {
    if (media_type($c) ne 'application/json') {
        fault($c, 415, 'format', 'JSON, please');
        return undef;
    }

    my $body = json_body($c);
    my $team = ref $body eq 'HASH' ? $body->{team} : undef;

    if (ref $team ne 'HASH') {
        fault($c, 400, 'malformed', 'an object with a team expected');
        return undef;
    }

    my @problems = problems($team);
    if (@problems) {
        fault($c, 422, 'invalid', 'see fields', @problems);
        return undef;
    }

    if (grep { lc $_->{title} eq lc $team->{title}
                && $_->{number} ne ($c->stash('number') // '') } values %team)
    {
        fault($c, 409, 'taken', "there is a team \"$team->{title}\"");
        return undef;
    }

    return {%$team, people => $team->{people} // []};
}

sub problems ($team) {
    my @problems;

    for my $field (['title', 80], ['about', 500]) {
        my ($name, $max) = @$field;
        my $text = $team->{$name} // next;
        push @problems, [$name, 'is no text'] if !is_string($text);
        push @problems, [$name, "has more than $max letters"]
            if is_string($text) && length $text > $max;
    }

    push @problems, ['title', 'must say something']
        if !length($team->{title} // '');

    my $mail = ($team->{contact} // {})->{mail};
    push @problems, ['contact.mail', 'is no address']
        if defined $mail && (!is_string($mail) || $mail !~ /^\S+@\S+\.\S+$/);

    my $same = ($team->{options} // {})->{same_number};
    push @problems, ['options.same_number', 'is neither true nor false']
        if defined $same && !is_boolean($same);

    my $people = $team->{people} // [];
    push @problems, ['people', 'is no list'] if ref $people ne 'ARRAY';
    push @problems, ['people', 'is somebody without a number']
        if ref $people eq 'ARRAY' && grep {
            ref $_ ne 'HASH' || !is_string($_->{person})
                || $_->{person} !~ /^\d{1,18}$/
        } @$people;

    return @problems;
}

sub shown ($team) {
    my %shown = (
        (map { $_ => $team->{$_} } qw(number title state since)),
        headcount => scalar @{$team->{people}},
        people    => [map { {person => $_->{person}, defined $_->{nick}
                ? (nick => $_->{nick}) : ()} } @{$team->{people}}],
        options => {same_number =>
                ($team->{options} // {})->{same_number} ? true : false},
    );
    $shown{about} = $team->{about} if defined $team->{about};
    $shown{contact} = {mail => $team->{contact}{mail}}
        if defined(($team->{contact} // {})->{mail});

    return \%shown;
}

sub add_team ($body) {
    my $number = $next_id++;
    return $team{$number} = {%$body, number => "$number", state => 'open',
        since => timestamp()};
}

sub reset_state {
    %team    = ();
    $next_id = $option->{'first-id'} // 4001;
    return;
}

sub seed ($data) {
    my @made = map {
        my $team = $_;
        add_team({%$team, people => [map { {person => "$_"} }
                @{$team->{people} // []}]});
    } @{$data->{teams} // []};
    return {teams => [map { shown($_) } @made]};
}
