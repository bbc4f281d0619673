/*
 * service.h - what the service manager is told
 *
 * Nothing happens when this was built without libsystemd, or nobody listens.
 */
#ifndef MAIN_SERVICE_H
#define MAIN_SERVICE_H

/* The start takes a while longer. */
void	service_waiting(const char *status);
void	service_ready(const char *status);
void	service_reloading(void);
void	service_stopping(void);

#endif
