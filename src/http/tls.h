/* http/tls.h - the certificate of the encrypted listeners, read again when its files change.
 *
 * Every handshake gets a copy of what is loaded, so a change touches no connection that is already there.  Files are looked
 * at when a handshake begins, at most once a second, and when told to (SIGHUP); bad ones are logged, and the
 * old certificate stays in use.
 *
 * Thread: any.
 */
#ifndef GUTS_HTTP_TLS_H
#define GUTS_HTTP_TLS_H

#include "base/err.h"

#include <stdint.h>

/* TLS 1.2 and 1.3, for MHD_OPTION_HTTPS_PRIORITIES. */
#define GUTS_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Load a certificate chain and its key, both PEM files of at most 256 KiB.  There is one per process: GnuTLS gives its
 * callback no word of ours.
 * Errors, with text: GUTS_EIO (a file cannot be read), GUTS_EINVAL (no PEM, or the key is another certificate's). */
int guts_tls_start(const char *cert_path, const char *key_path, struct guts_errinfo *ei);
/* Would guts_tls_start take them?  The same errors; nothing is kept. */
int guts_tls_check(const char *cert_path, const char *key_path, struct guts_errinfo *ei);
void guts_tls_stop(void);

/* Read the files again now; the old certificate stays if they are bad (logged). */
void guts_tls_reload(void);

/* End of the certificate's validity [unix s]; 0 = no TLS here. */
uint64_t guts_tls_expiry(void);

/* GnuTLS' callback (gnutls_certificate_retrieve_function3), for MHD_OPTION_HTTPS_CERT_CALLBACK2. */
void *guts_tls_callback(void);

#endif
