/*
 * version.h - which release this is
 */
#ifndef MAIN_VERSION_H
#define MAIN_VERSION_H

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1.0"
#endif

#define KANTELE		"Kantele " PACKAGE_VERSION

#endif
