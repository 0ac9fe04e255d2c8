package Test::Gateway::Preload;

# A bad system for nginx to run on: see t/lib/preload.c.
#
#   my $bad = Test::Gateway::Preload->new($dir);
#   my $t   = Test::Gateway->new(wrapper => [$bad->wrapper]);
#
#   $bad->clock(3600);            # the wall clock is an hour ahead
#   $bad->fail($pid, 17);         # its 17th allocation from now on fails;
#                                 # "libc", "module" (default) or "any"
#   $bad->failed                  # whether it was asked for
#   $bad->where                   # "function file:line", of the module's
#   $bad->count, $bad->stop

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

my $SOURCE = abs_path(dirname(__FILE__) . '/../../preload.c');
my @FIELDS = qw(clock pid what fail count failed where);
my %AT     = map { ($FIELDS[$_] => 8 * $_) } 0 .. $#FIELDS;
my %WHAT   = (libc => 1, module => 2, any => 3);

sub new {
    my ($class, $dir) = @_;

    my $self = bless {library => "$dir/preload.so",
        file => "$dir/preload.data"}, $class;

    my $cc = $ENV{CC} || 'cc';
    system($cc, '-std=gnu99', '-O1', '-g', '-shared', '-fPIC', '-o',
        $self->{library}, $SOURCE, '-ldl') == 0
        or die "$cc cannot compile $SOURCE\n";

    open my $fh, '+>:raw', $self->{file} or die "$self->{file}: $!\n";
    $fh->autoflush(1);
    syswrite $fh, "\0" x (8 * @FIELDS);
    $self->{fh} = $fh;

    return $self;
}

# The command that runs nginx; what else is preloaded comes after it.
sub wrapper {
    my ($self) = @_;

    my @more = grep { $_ } $ENV{TEST_GROUP_ASAN};
    return ('env', 'LD_PRELOAD=' . join(':', $self->{library}, @more),
        "TEST_GROUP_PRELOAD=$self->{file}",
        @more ? 'ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0:'
            . 'detect_odr_violation=0:allocator_may_return_null=1' : ());
}

sub _set {
    my ($self, $field, $value) = @_;
    sysseek $self->{fh}, $AT{$field}, 0;
    syswrite $self->{fh}, pack 'q', $value;
    return;
}

sub _get {
    my ($self, $field) = @_;
    sysseek $self->{fh}, $AT{$field}, 0;
    sysread $self->{fh}, my $bytes, 8;
    return unpack 'q', $bytes;
}

sub clock { return $_[0]->_set(clock => $_[1]) }

sub fail {
    my ($self, $pid, $n, $what) = @_;

    $self->_set(fail => 0);
    $self->_set(@$_)
        for [pid => $pid], [what => $WHAT{$what // 'module'}], [count => 0],
            [failed => 0], [where => 0];
    $self->_set(fail => $n);

    return;
}

sub stop   { return $_[0]->_set(fail => 0) }
sub failed { return $_[0]->_get('failed') }
sub count  { return $_[0]->_get('count') }

sub where {
    my ($self, $module) = @_;

    my $where = sprintf '0x%x', $self->_get('where') - 1;
    return $where if !$module;

    my $line = qx(addr2line -fse '$module' $where 2>/dev/null) || $where;
    $line =~ s/\s+/ /g;
    return $line;
}

1;
