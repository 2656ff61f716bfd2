/* http/tls.c - PEM files in, a fresh pair of chain and key for each handshake out.
 *
 * GnuTLS frees what a handshake was given (GNUTLS_CERT_RETR_DEINIT_ALL); parsing again costs a tenth of a millisecond
 * beside the handshake's signature, and nothing has to be counted.
 */
#include "http/tls.h"

#include "base/alloc.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX (256 << 10) /* [bytes] */
#define CHAIN_MAX 16

/* A file as it was when it was read. */
struct pem {
	gnutls_datum_t data;
	struct timespec changed;
	ino_t inode;
};

struct pair {
	struct pem cert, key;
	uint64_t expiry; /* [unix s] */
};

static struct {
	pthread_mutex_t lock;
	char *cert_path, *key_path; /* NULL: not started */
	struct pair pair;
	time_t looked;              /* when the files were last looked at [monotonic s] */
} tls = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
wipe(struct pair *p)
{
	if (p->key.data.data)
		explicit_bzero(p->key.data.data, p->key.data.size);
	free(p->key.data.data);
	free(p->cert.data.data);
	*p = (struct pair){ 0 };
}

static int
read_pem(struct pem *out, const char *path, struct guts_errinfo *ei)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st) < 0) {
		guts_err_set(ei, GUTS_EIO, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return GUTS_EIO;
	}
	if (S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= FILE_MAX) {
		out->data.data = guts_alloc((size_t)st.st_size);
		n = read(fd, out->data.data, (size_t)st.st_size);
	}
	close(fd);
	if (n <= 0)
		return guts_err_set(ei, GUTS_EIO, "%s: no file of 1 byte to %d KiB", path, FILE_MAX >> 10);
	out->data.size = (unsigned)n;
	out->changed = st.st_mtim;
	out->inode = st.st_ino;
	return GUTS_OK;
}

/* Is it a chain with its own key?  Says until when its first certificate holds. */
static int
check(struct pair *p, const char *cert_path, struct guts_errinfo *ei)
{
	gnutls_certificate_credentials_t cred;
	gnutls_x509_crt_t crt;
	int rc = gnutls_certificate_allocate_credentials(&cred);

	if (rc >= 0) {
		rc = gnutls_certificate_set_x509_key_mem2(cred, &p->cert.data, &p->key.data, GNUTLS_X509_FMT_PEM, NULL, 0);
		gnutls_certificate_free_credentials(cred);
	}
	if (rc < 0)
		return guts_err_set(ei, GUTS_EINVAL, "%s and its key: %s", cert_path, gnutls_strerror(rc));
	rc = gnutls_x509_crt_init(&crt);
	if (rc >= 0) {
		rc = gnutls_x509_crt_import(crt, &p->cert.data, GNUTLS_X509_FMT_PEM);
		if (rc >= 0)
			p->expiry = (uint64_t)gnutls_x509_crt_get_expiration_time(crt);
		gnutls_x509_crt_deinit(crt);
	}
	return rc < 0 ? guts_err_set(ei, GUTS_EINVAL, "%s: %s", cert_path, gnutls_strerror(rc)) : GUTS_OK;
}

static int
load(struct pair *out, const char *cert_path, const char *key_path, struct guts_errinfo *ei)
{
	struct pair p = { 0 };
	int err = read_pem(&p.cert, cert_path, ei);

	if (!err)
		err = read_pem(&p.key, key_path, ei);
	if (!err)
		err = check(&p, cert_path, ei);
	if (err) {
		wipe(&p);
		return err;
	}
	wipe(out);
	*out = p;
	if (p.expiry < (uint64_t)time(NULL))
		guts_log(GUTS_LOG_WARN, "http", "the certificate in %s has expired", cert_path);
	return GUTS_OK;
}

/* Under the lock. */
static void
reload(void)
{
	struct guts_errinfo ei;

	if (load(&tls.pair, tls.cert_path, tls.key_path, &ei))
		guts_log(GUTS_LOG_ERROR, "http", "the certificate stays the old one: %s", ei.text);
	else
		guts_log(GUTS_LOG_NOTICE, "http", "the certificate was read again from %s", tls.cert_path);
}

static bool
has_changed(const struct pem *p, const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || st.st_ino != p->inode || st.st_mtim.tv_sec != p->changed.tv_sec ||
	    st.st_mtim.tv_nsec != p->changed.tv_nsec;
}

/* Under the lock.  Files that are bad are looked at again a second later, so what is half written does not stay out. */
static void
look(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec == tls.looked)
		return;
	tls.looked = now.tv_sec;
	if (has_changed(&tls.pair.cert, tls.cert_path) || has_changed(&tls.pair.key, tls.key_path))
		reload();
}

static void
free_chain(gnutls_pcert_st *chain, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		gnutls_pcert_deinit(&chain[i]);
	gnutls_free(chain);
}

static int
give(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **certs, unsigned *ncerts,
    gnutls_ocsp_data_st **ocsp, unsigned *nocsp, gnutls_privkey_t *key, unsigned *flags)
{
	unsigned n = CHAIN_MAX;
	gnutls_pcert_st *chain = gnutls_calloc(n, sizeof *chain);
	int rc = GNUTLS_E_MEMORY_ERROR;

	(void)session, (void)info, (void)ocsp;
	if (!chain)
		return rc;
	pthread_mutex_lock(&tls.lock);
	look();
	rc = gnutls_pcert_list_import_x509_raw(chain, &n, &tls.pair.cert.data, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0)
		n = 0;
	else
		rc = gnutls_privkey_init(key);
	if (rc >= 0 && (rc = gnutls_privkey_import_x509_raw(*key, &tls.pair.key.data, GNUTLS_X509_FMT_PEM, NULL, 0)) < 0)
		gnutls_privkey_deinit(*key);
	pthread_mutex_unlock(&tls.lock);
	if (rc < 0) {
		free_chain(chain, n);
		return rc;
	}
	*certs = chain;
	*ncerts = n;
	*nocsp = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	return 0;
}

void *
guts_tls_callback(void)
{
	return (void *)(uintptr_t)give;
}

int
guts_tls_start(const char *cert_path, const char *key_path, struct guts_errinfo *ei)
{
	int err;

	pthread_mutex_lock(&tls.lock);
	err = load(&tls.pair, cert_path, key_path, ei);
	if (!err) {
		tls.cert_path = guts_strdup(cert_path);
		tls.key_path = guts_strdup(key_path);
	}
	pthread_mutex_unlock(&tls.lock);
	return err;
}

int
guts_tls_check(const char *cert_path, const char *key_path, struct guts_errinfo *ei)
{
	struct pair pair = { 0 };
	int err = load(&pair, cert_path, key_path, ei);

	wipe(&pair);
	return err;
}

void
guts_tls_stop(void)
{
	pthread_mutex_lock(&tls.lock);
	wipe(&tls.pair);
	free(tls.cert_path);
	free(tls.key_path);
	tls.cert_path = tls.key_path = NULL;
	pthread_mutex_unlock(&tls.lock);
}

void
guts_tls_reload(void)
{
	pthread_mutex_lock(&tls.lock);
	if (tls.cert_path)
		reload();
	pthread_mutex_unlock(&tls.lock);
}

uint64_t
guts_tls_expiry(void)
{
	pthread_mutex_lock(&tls.lock);
	uint64_t expiry = tls.pair.expiry;
	pthread_mutex_unlock(&tls.lock);
	return expiry;
}
