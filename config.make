
# Flags for this module's own objects, read by nginx's auto/make.
#
# Hidden visibility: nginx opens modules with RTLD_GLOBAL, so that whatever
# is exported may collide with a library that another module brings.  The
# object that nginx generates (ngx_modules, ngx_module_names and
# ngx_module_order) must stay visible, and when nginx itself is built in the
# same go, so must its symbols: hence not in CFLAGS, but per object.
#
# LuaJIT raises its errors through our frames: they need unwind tables.
#
# nginx compiles with -Werror, which turns a new compiler's new warning into
# a failed installation: errors only when asked for.

for ngx_http_group_obj in $ngx_http_group_srcs
do
    ngx_http_group_dir=`dirname $ngx_http_group_obj`
    ngx_http_group_dir=`basename $ngx_http_group_dir`
    ngx_http_group_obj=`basename $ngx_http_group_obj .c`

    cat << END >> $NGX_MAKEFILE
$NGX_OBJS/addon/$ngx_http_group_dir/$ngx_http_group_obj.o: \\
	CFLAGS += -fvisibility=hidden -funwind-tables \\
	          ${NGX_HTTP_GROUP_CFLAGS:--Wno-error}

END
done

# the page of group_console, as a C string

cat << END >> $NGX_MAKEFILE
$NGX_OBJS/addon/http/ngx_http_group_console.o: \\
	$NGX_OBJS/ngx_http_group_console.h

$NGX_OBJS/ngx_http_group_console.h: $ngx_http_group_src/console/console.html
	sed -e 's/[\\\\"]/\\\\&/g' -e 's/^/"/' -e 's/\$\$/\\\\n"/' \\
		$ngx_http_group_src/console/console.html > \$@

END
