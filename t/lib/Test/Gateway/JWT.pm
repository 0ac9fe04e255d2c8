package Test::Gateway::JWT;

# Keys and tokens, made by the openssl command: an oracle that nobody here
# wrote.
#
#   my $keys = Test::Gateway::JWT->new($directory);
#   $keys->make(rs => 'RSA');          # also: EC, Ed25519, oct
#   my $jwk = $keys->jwk('rs', kid => 'a');      # a hash, public only
#   my $token = $keys->token('rs', {sub => 'me', exp => time + 60});
#
# More options of token(), after the claims: header (what is added to alg and
# typ; undef takes one away), and, to be refused, alg, raw_header and
# raw_claims (bytes), signature (bytes), sign_with (the secret of an HMAC).

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64);

use Test::Gateway::Message qw(json_encode);

our @EXPORT_OK = qw(base64url);

my %ALG = (RSA => 'RS256', EC => 'ES256', Ed25519 => 'EdDSA', oct => 'HS256');

sub base64url {
    my ($bytes) = @_;
    return encode_base64($bytes, '') =~ tr{+/}{-_}r =~ s/=+\z//r;
}

sub new {
    my ($class, $dir) = @_;
    return bless {dir => $dir, keys => {}}, $class;
}

# Options: bits, curve, secret.
sub make {
    my ($self, $name, $type, %option) = @_;

    my $key = $self->{keys}{$name} = {type => $type, name => $name};

    if ($type eq 'oct') {
        $key->{secret} = $option{secret}
            // join '', map { chr int rand 256 } 1 .. 48;
        return $self;
    }

    my @how
        = $type eq 'RSA'
        ? ('RSA', '-pkeyopt', 'rsa_keygen_bits:' . ($option{bits} // 2048))
        : $type eq 'EC'
        ? ('EC', '-pkeyopt',
            'ec_paramgen_curve:' . ($option{curve} // 'P-256'))
        : ($type);

    $self->_openssl('', 'genpkey', '-algorithm', @how, '-out',
        $self->_file($name));

    return $self;
}

sub pem {
    my ($self, $name) = @_;
    return $self->_openssl('', 'pkey', '-in', $self->_file($name), '-pubout');
}

# What is given is added to it or replaces it; undef takes it away.
sub jwk {
    my ($self, $name, %more) = @_;

    my $key = $self->{keys}{$name};
    my %jwk;

    if ($key->{type} eq 'oct') {
        %jwk = (kty => 'oct', alg => 'HS256', k => base64url($key->{secret}));

    } elsif ($key->{type} eq 'RSA') {
        my $hex = $self->_openssl('', 'rsa', '-in', $self->_file($name),
            '-noout', '-modulus');
        $hex =~ /=([0-9A-F]+)/ or die "no modulus: $hex\n";
        %jwk = (kty => 'RSA', n => base64url(pack 'H*', $1), e => 'AQAB');

    } else {
        # the point is the end of it
        my $der = $self->_openssl('', 'pkey', '-in', $self->_file($name),
            '-pubout', '-outform', 'DER');

        if ($key->{type} eq 'EC') {
            my $len = length($der) > 100 ? 48 : 32;
            %jwk = (
                kty => 'EC',
                crv => $len == 32 ? 'P-256' : 'P-384',
                x   => base64url(substr $der, -2 * $len, $len),
                y   => base64url(substr $der, -$len),
            );

        } else {
            %jwk = (kty => 'OKP', crv => 'Ed25519',
                x => base64url(substr $der, -32));
        }
    }

    %jwk = (%jwk, %more);
    delete @jwk{grep { !defined $jwk{$_} } keys %jwk};

    return \%jwk;
}

sub token {
    my ($self, $name, $claims, %option) = @_;

    my $key = $self->{keys}{$name};

    my %header = (alg => $option{alg} // $ALG{$key->{type}}, typ => 'JWT',
        %{$option{header} // {}});
    delete @header{grep { !defined $header{$_} } keys %header};

    my $text = join '.',
        base64url($option{raw_header} // json_encode(\%header)),
        base64url($option{raw_claims} // json_encode($claims));

    my $signature = $option{signature}
        // (defined $option{sign_with}
        ? hmac_sha256($text, $option{sign_with})
        : $self->signature($name, $text));

    return "$text." . base64url($signature);
}

sub signature {
    my ($self, $name, $text) = @_;

    my $key = $self->{keys}{$name};
    return hmac_sha256($text, $key->{secret}) if $key->{type} eq 'oct';

    my $file = $self->_file($name);

    if ($key->{type} eq 'Ed25519') {
        my $in = "$self->{dir}/signed.txt";
        open my $fh, '>:raw', $in or die "$in: $!\n";
        print {$fh} $text;
        close $fh;
        return $self->_openssl('', 'pkeyutl', '-sign', '-rawin', '-inkey',
            $file, '-in', $in);
    }

    my $signature = $self->_openssl($text, 'dgst', '-sha256', '-sign', $file);
    return $signature if $key->{type} eq 'RSA';

    # SEQUENCE { INTEGER r, INTEGER s }; JWS has the two side by side
    my @numbers;
    my $at = ord(substr $signature, 1, 1) & 0x80 ? 3 : 2;
    for (1, 2) {
        my $len = ord substr $signature, $at + 1, 1;
        push @numbers, substr "\0" x 32 . substr($signature, $at + 2, $len),
            -32;
        $at += 2 + $len;
    }

    return join '', @numbers;
}

sub _file {
    my ($self, $name) = @_;
    return "$self->{dir}/$name.key.pem";
}

sub _openssl {
    my ($self, $input, @command) = @_;

    my $in = "$self->{dir}/openssl.in";
    open my $fh, '>:raw', $in or die "$in: $!\n";
    print {$fh} $input;
    close $fh;

    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;

    if (!$pid) {
        open STDIN,  '<', $in;
        open STDERR, '>', "$self->{dir}/openssl.err";
        exec 'openssl', @command;
        die "openssl: $!\n";
    }

    binmode $out;
    my $bytes = do { local $/; <$out> } // '';
    close $out;

    if ($?) {
        open my $err, '<', "$self->{dir}/openssl.err";
        local $/;
        die "openssl @command: ", scalar(<$err>) // '', "\n";
    }

    return $bytes;
}

1;
