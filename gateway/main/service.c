/*
 * service.c - what the service manager is told
 *
 * Knows:     sd_notify. Does not: know the gateway. Owns: nothing. Threads: any.
 */
#include "main/service.h"

#include "main/version.h"

#ifdef HAVE_LIBSYSTEMD

#include <systemd/sd-daemon.h>

void
service_waiting(const char *status)
{
	sd_notifyf(0, "STATUS=%s\nEXTEND_TIMEOUT_USEC=60000000", status);
}

void
service_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void
service_reloading(void)
{
	sd_notify(0, "RELOADING=1");
}

void
service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

#else

void
service_waiting(const char *status)
{
	(void)status;
}

void
service_ready(const char *status)
{
	(void)status;
}

void
service_reloading(void)
{
}

void
service_stopping(void)
{
}

#endif
