# guts.m4 - the macros of configure.ac.

m4_ifndef([PKG_CHECK_MODULES],
	[m4_fatal([pkg.m4 not found: install pkg-config (Debian: pkg-config)])])

# GUTS_ENABLE(NAME, HELP) - an option that is off unless --enable-NAME.
AC_DEFUN([GUTS_ENABLE],
[AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1], [$2])], [], [enable_$1=no])])

# GUTS_MISSING(WHAT, DEBIAN-PACKAGE) - note what is missing; reported at the end.
AC_DEFUN([GUTS_MISSING],
[guts_missing="$guts_missing $1"
guts_packages="$guts_packages $2"])

# GUTS_PKG(VAR, MODULE, DEBIAN-PACKAGE) - a library that must be there.
AC_DEFUN([GUTS_PKG],
[PKG_CHECK_MODULES([$1], [$2], [], [GUTS_MISSING([m4_bpatsubst([$2], [ .*])], [$3])])])

# GUTS_WITH(NAME, VAR, MODULE, DEBIAN-PACKAGE, TEXT) - a library that may be there: --with-NAME insists, --without-NAME
# does without.  Defines GUTS_VAR and the conditional VAR.
AC_DEFUN([GUTS_WITH],
[AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1], [$5 (default: if the library is there)])], [], [with_$1=check])
AS_IF([test "$with_$1" != no],
	[PKG_CHECK_MODULES([$2], [$3], [have_$1=yes],
		[have_$1=no
		AS_IF([test "$with_$1" != check], [GUTS_MISSING([m4_bpatsubst([$3], [ .*])], [$4])])])],
	[have_$1=no])
AS_IF([test "$have_$1" = yes], [AC_DEFINE([GUTS_$2], [1], [$5.])])
AM_CONDITIONAL([$2], [test "$have_$1" = yes])])

# GUTS_TRY_FLAG(VAR, FLAG, WHERE) - append FLAG to VAR if it compiles and links
# without a warning.  WHERE is CFLAGS or LDFLAGS.
AC_DEFUN([GUTS_TRY_FLAG],
[AC_MSG_CHECKING([whether $CC takes $2])
guts_saved_$3="$$3"
guts_saved_werror="$CFLAGS"
$3="$$3 $2"
CFLAGS="$CFLAGS -Werror"
AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [[return (int)strlen("");]])],
	[guts_takes=yes], [guts_takes=no])
CFLAGS="$guts_saved_werror"
$3="$guts_saved_$3"
AC_MSG_RESULT([$guts_takes])
AS_IF([test $guts_takes = yes], [$1="$$1 $2"], [m4_default([$4], [:])])])

# GUTS_WARNINGS - WARN_CFLAGS: the strict list, as far as the compiler knows it.
AC_DEFUN([GUTS_WARNINGS],
[WARN_CFLAGS=
m4_foreach_w([flag], [-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-Wold-style-definition -Wconversion -Wpointer-arith -Wwrite-strings
	-Wundef -Wvla -Wformat=2 -Wduplicated-cond -Wlogical-op],
	[GUTS_TRY_FLAG([WARN_CFLAGS], flag, [CFLAGS])
])
AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
AC_SUBST([WARN_CFLAGS])])

# GUTS_INSTRUMENT - INSTRUMENT_CFLAGS (compile and link) and FUZZ_LDFLAGS.
# They go into AM_CFLAGS, so that the checks of configure run without them.
AC_DEFUN([GUTS_INSTRUMENT],
[INSTRUMENT_CFLAGS=
FUZZ_LDFLAGS=
AS_IF([test "$enable_fuzzing" = yes],
	[GUTS_TRY_FLAG([FUZZ_LDFLAGS], [-fsanitize=fuzzer-no-link], [CFLAGS],
		[AC_MSG_ERROR([--enable-fuzzing needs clang: ./configure CC=clang (Debian: clang libclang-rt-14-dev)])])
	FUZZ_LDFLAGS="-fsanitize=fuzzer"
	INSTRUMENT_CFLAGS="$INSTRUMENT_CFLAGS -fsanitize=fuzzer-no-link"
	enable_sanitizers=yes])
AS_IF([test "$enable_sanitizers" = yes],
	[GUTS_TRY_FLAG([INSTRUMENT_CFLAGS],
		[-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer], [CFLAGS],
		[AC_MSG_ERROR([$CC cannot link with -fsanitize=address,undefined])])])
AS_IF([test "$enable_tsan" = yes],
	[GUTS_TRY_FLAG([INSTRUMENT_CFLAGS], [-fsanitize=thread -fno-omit-frame-pointer], [CFLAGS],
		[AC_MSG_ERROR([$CC cannot link with -fsanitize=thread])])])
AC_SUBST([INSTRUMENT_CFLAGS])
AC_SUBST([FUZZ_LDFLAGS])])

# GUTS_HARDEN - HARDEN_CFLAGS and HARDEN_LDFLAGS.  _FORTIFY_SOURCE wants an
# optimising compiler and gets in the way of the sanitizers' own checks.
AC_DEFUN([GUTS_HARDEN],
[HARDEN_CFLAGS=
HARDEN_LDFLAGS=
GUTS_TRY_FLAG([HARDEN_CFLAGS], [-fstack-protector-strong], [CFLAGS])
GUTS_TRY_FLAG([HARDEN_CFLAGS], [-fstack-clash-protection], [CFLAGS])
GUTS_TRY_FLAG([HARDEN_CFLAGS], [-fPIE], [CFLAGS])
AS_IF([test -z "$INSTRUMENT_CFLAGS"],
	[GUTS_TRY_FLAG([HARDEN_CFLAGS], [-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2], [CFLAGS])])
GUTS_TRY_FLAG([HARDEN_LDFLAGS], [-pie], [LDFLAGS])
GUTS_TRY_FLAG([HARDEN_LDFLAGS], [-Wl,-z,relro], [LDFLAGS])
GUTS_TRY_FLAG([HARDEN_LDFLAGS], [-Wl,-z,now], [LDFLAGS])
GUTS_TRY_FLAG([HARDEN_LDFLAGS], [-Wl,--as-needed], [LDFLAGS])
AC_SUBST([HARDEN_CFLAGS])
AC_SUBST([HARDEN_LDFLAGS])])
