dnl Copyright 2026 The ovs-mqtt-proxy authors.
dnl SPDX-License-Identifier: Apache-2.0
dnl
dnl The checks of configure.ac that take more than a line.

dnl MP_CHECK_CFLAGS(FLAGS, VARIABLE): appends FLAGS to VARIABLE if compiling and linking with them
dnl works and says nothing.
AC_DEFUN([MP_CHECK_CFLAGS],
  [AC_MSG_CHECKING([whether $CC accepts $1])
   mp_save_CFLAGS=$CFLAGS
   CFLAGS="$CFLAGS -Werror $1"
   AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
     [AC_MSG_RESULT([yes])
      $2="$$2 $1"],
     [AC_MSG_RESULT([no])])
   CFLAGS=$mp_save_CFLAGS])

dnl MP_CHECK_OPENVSWITCH: --with-openvswitch=PREFIX, where scripts/build-libopenvswitch put the
dnl library; without it, wherever pkg-config finds one.  Sets OVS_CFLAGS (public headers),
dnl OVS_PRIVATE_CFLAGS (src/ctl only), OVS_LIBS and OVS_PREFIX.
AC_DEFUN([MP_CHECK_OPENVSWITCH],
  [AC_ARG_WITH([openvswitch],
     [AS_HELP_STRING([--with-openvswitch=PREFIX],
        [libopenvswitch as installed by ./scripts/build-libopenvswitch PREFIX])],
     [], [with_openvswitch=])
   AS_CASE([$with_openvswitch],
     [yes|no], [AC_MSG_ERROR([--with-openvswitch needs the directory that was given to ./scripts/build-libopenvswitch])],
     [''], [mp_ovs_path=$PKG_CONFIG_PATH],
     [/*], [mp_ovs_path=$with_openvswitch/lib/pkgconfig],
     [with_openvswitch=$(cd "$with_openvswitch" 2>/dev/null && pwd || echo "$with_openvswitch")
      mp_ovs_path=$with_openvswitch/lib/pkgconfig])
   AC_MSG_CHECKING([for libopenvswitch])
   mp_pkg_config() {
     PKG_CONFIG_PATH=$mp_ovs_path $PKG_CONFIG --static "$[@]" libopenvswitch 2>/dev/null
   }
   OVS_PREFIX=`mp_pkg_config --variable=prefix`
   AS_IF([test -n "$OVS_PREFIX" && mp_pkg_config --atleast-version=3.1 \
          && test -f "$OVS_PREFIX/include/openvswitch-private/ovs-config.h"],
     [mp_ovs_version=`mp_pkg_config --modversion`
      AC_MSG_RESULT([$OVS_PREFIX, version $mp_ovs_version])],
     [AC_MSG_RESULT([no])
      AC_MSG_ERROR([libopenvswitch was not found.  Run ./scripts/build-libopenvswitch ${with_openvswitch:-PREFIX} and then configure with --with-openvswitch=${with_openvswitch:-PREFIX}])])
   OVS_CFLAGS="-isystem $OVS_PREFIX/include"
   OVS_PRIVATE_CFLAGS="$OVS_CFLAGS -isystem $OVS_PREFIX/include/openvswitch-private"
   OVS_LIBS=`mp_pkg_config --libs`
   mp_save_LIBS=$LIBS
   mp_save_CPPFLAGS=$CPPFLAGS
   LIBS="$OVS_LIBS -lpthread $LIBS"
   CPPFLAGS="$OVS_CFLAGS $CPPFLAGS"
   AC_MSG_CHECKING([whether libopenvswitch links])
   AC_LINK_IFELSE(
     [AC_LANG_PROGRAM([[#include <openvswitch/ofpbuf.h>]],
                      [[ofpbuf_delete(ofpbuf_new(8));]])],
     [AC_MSG_RESULT([yes])],
     [AC_MSG_RESULT([no])
      AC_MSG_ERROR([libopenvswitch in $OVS_PREFIX cannot be linked with.  Remove that directory and run ./scripts/build-libopenvswitch $OVS_PREFIX again])])
   LIBS=$mp_save_LIBS
   CPPFLAGS=$mp_save_CPPFLAGS
   OVS_LIBS="$OVS_LIBS -lpthread"
   # Built anew, the library may need other libraries.
   AS_IF([test -f "$OVS_PREFIX/lib/libopenvswitch.stamp"],
     [CONFIG_STATUS_DEPENDENCIES="$OVS_PREFIX/lib/libopenvswitch.stamp"])
   AC_SUBST([CONFIG_STATUS_DEPENDENCIES])
   AC_SUBST([OVS_PREFIX])
   AC_SUBST([OVS_CFLAGS])
   AC_SUBST([OVS_PRIVATE_CFLAGS])
   AC_SUBST([OVS_LIBS])])

AC_DEFUN([MP_ENABLE_WARNINGS],
  [AC_ARG_ENABLE([Werror],
     [AS_HELP_STRING([--enable-Werror], [make every warning an error])],
     [], [enable_Werror=no])
   for mp_flag in -Wall -Wextra -Wpointer-arith -Wstrict-prototypes -Wold-style-definition \
                  -Wmissing-prototypes -Wvla; do
     MP_CHECK_CFLAGS([$mp_flag], [MP_WARNINGS])
   done
   MP_CHECK_CFLAGS([-Wformat -Wformat-security], [MP_WARNINGS])
   MP_CFLAGS="$MP_CFLAGS $MP_WARNINGS"
   AS_IF([test "$enable_Werror" = yes], [MP_CFLAGS="$MP_CFLAGS -Werror"])])

AC_DEFUN([MP_ENABLE_SANITIZERS],
  [AC_ARG_ENABLE([sanitizers],
     [AS_HELP_STRING([--enable-sanitizers],
        [compile with AddressSanitizer and UndefinedBehaviorSanitizer])],
     [], [enable_sanitizers=no])
   AS_IF([test "$enable_sanitizers" = yes],
     [mp_before=$MP_CFLAGS
      MP_CHECK_CFLAGS([-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer],
                      [MP_CFLAGS])
      AS_IF([test "$mp_before" = "$MP_CFLAGS"],
        [AC_MSG_ERROR([$CC cannot build with sanitizers; install its sanitizer libraries])])
      MP_LDFLAGS="$MP_LDFLAGS -fsanitize=address,undefined"])])

dnl Hardening.  Sanitizers do all of it better and dislike _FORTIFY_SOURCE, which in turn needs
dnl optimization.
AC_DEFUN([MP_HARDENING],
  [MP_CHECK_CFLAGS([-fstack-protector-strong], [MP_CFLAGS])
   MP_CHECK_CFLAGS([-fstack-clash-protection], [MP_CFLAGS])
   MP_CHECK_CFLAGS([-fPIE], [MP_CFLAGS])
   MP_CHECK_CFLAGS([-fPIE -pie], [mp_pie])
   AS_IF([test -n "$mp_pie"], [MP_LDFLAGS="$MP_LDFLAGS -pie"])
   MP_CHECK_CFLAGS([-Wl,-z,relro,-z,now], [MP_LDFLAGS])
   MP_CHECK_CFLAGS([-Wl,--as-needed], [MP_LDFLAGS])
   AS_CASE(["$CFLAGS $CPPFLAGS"],
     [*-O0*|*_FORTIFY_SOURCE*], [],
     [*-O*], [AS_IF([test "$enable_sanitizers" != yes],
                [MP_CPPFLAGS="$MP_CPPFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])])])
