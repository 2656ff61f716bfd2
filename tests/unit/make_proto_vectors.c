/* tests/unit/make_proto_vectors.c - write the known answers and fuzz seeds of proto/ once.
 *
 *	make_proto_vectors json  > tests/vectors/records.json
 *	make_proto_vectors seeds tests/fuzz/seeds
 *
 * records.json is frozen: a version that writes other bytes speaks another protocol.
 */
#include "record_samples.h"
#include "message_samples.h"

#include "base/text.h"
#include "proto/messages.h"
#include "proto/reftree.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct record_sample samples[RECORD_SAMPLES];

static void
add_hex(struct json_object *o, const char *key, const void *p, size_t n)
{
	char *hex = malloc(2 * n + 1);

	if (!hex)
		abort();
	guts_hex_encode(hex, p, n);
	json_object_object_add(o, key, json_object_new_string(hex));
	free(hex);
}

static struct json_object *
record_json(const struct record_sample *s)
{
	struct json_object *o = json_object_new_object();
	struct guts_record r;

	if (guts_record_open(&r, s->kind, guts_buf_slice(&s->envelope)))
		abort();
	json_object_object_add(o, "name", json_object_new_string(s->name));
	json_object_object_add(o, "kind", json_object_new_string(guts_record_kind_name(s->kind)));
	add_hex(o, "hash", r.hash, sizeof r.hash);
	add_hex(o, "payload", r.payload.p, r.payload.n);
	add_hex(o, "envelope", guts_buf_slice(&s->envelope).p, s->envelope.len);
	return o;
}

static struct json_object *
tree_json(size_t n)
{
	struct json_object *o = json_object_new_object();
	struct guts_reftree *t = sample_tree(n);

	json_object_object_add(o, "entries", json_object_new_int64((int64_t)n));
	add_hex(o, "root", guts_reftree_root(t), GUTS_HASH_SIZE);
	if (n == 3)
		for (unsigned b = 0; b < GUTS_REFTREE_BUCKETS; b++) {
			char key[16];

			snprintf(key, sizeof key, "bucket_%u", b);
			if (guts_reftree_bucket_count(t, b))
				add_hex(o, key, guts_reftree_bucket_hash(t, b), GUTS_HASH_SIZE);
		}
	guts_reftree_unref(t);
	return o;
}

static void
write_json(void)
{
	struct json_object *doc = json_object_new_object(), *list = json_object_new_array();
	struct json_object *trees = json_object_new_array(), *gossip = json_object_new_object();
	char topic[GUTS_TOPIC_TEXT_MAX];
	uint8_t id[GUTS_HASH_SIZE];

	for (size_t i = 0; i < RECORD_SAMPLES; i++)
		json_object_array_add(list, record_json(&samples[i]));
	json_object_array_add(trees, tree_json(0));
	json_object_array_add(trees, tree_json(3));
	json_object_array_add(trees, tree_json(1000));
	guts_topic_repo(topic, "main", samples[1].hash);
	guts_gossip_message_id(id, guts_slice_str(topic), guts_slice_str("data"));
	json_object_object_add(gossip, "repo_topic", json_object_new_string(topic));
	add_hex(gossip, "id_of_data", id, sizeof id);

	json_object_object_add(doc, "note",
			       json_object_new_string("known answers of the signed records, refs roots and "
						      "gossip ids of guts, made by tests/unit/"
						      "make_proto_vectors.c from fixed seeds; never to change"));
	json_object_object_add(doc, "records", list);
	json_object_object_add(doc, "reftrees", trees);
	json_object_object_add(doc, "gossip", gossip);
	puts(json_object_to_json_string_ext(doc, JSON_C_TO_STRING_PRETTY |
							 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(doc);
}

static void
write_seed(const char *dir, const char *target, const char *name, int prefix, struct guts_slice s)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, target);
	mkdir(path, 0777);
	snprintf(path, sizeof path, "%s/%s/%s", dir, target, name);
	f = fopen(path, "wb");
	if (!f || (prefix >= 0 && fputc(prefix, f) == EOF) || fwrite(s.p, 1, s.n, f) != s.n ||
	    fclose(f)) {
		perror(path);
		exit(1);
	}
}

static void
write_seeds(const char *dir)
{
	struct guts_buf b;
	char path[256];

	for (size_t i = 0; i < RECORD_SAMPLES; i++) { /* first byte: see fuzz_record.c */
		struct guts_record r;

		if (guts_record_open(&r, samples[i].kind, guts_buf_slice(&samples[i].envelope)))
			abort();
		write_seed(dir, "record", samples[i].name, (int)samples[i].kind,
			   guts_buf_slice(&samples[i].envelope));
		snprintf(path, sizeof path, "%s-payload", samples[i].name);
		write_seed(dir, "record", path, (int)samples[i].kind | 0x80, r.payload);
	}
	for (size_t i = 0; i < MESSAGE_SAMPLES; i++) {
		const char *kind, *name, *target;

		guts_buf_init(&b, GUTS_MESSAGE_MAX);
		message_sample(i, &b, &kind, &name);
		target = strncmp(kind, "sync_", 5) == 0		 ? "sync_message" :
			 strcmp(kind, "gossip_payload") == 0 ? "node_message" :
							       kind;
		snprintf(path, sizeof path, "%s-%s", kind, name);
		write_seed(dir, target, path, -1, guts_buf_slice(&b));
		guts_buf_deinit(&b);
	}
}

int
main(int argc, char **argv)
{
	if (guts_crypto_init())
		return 1;
	samples_make(samples);
	if (argc == 2 && strcmp(argv[1], "json") == 0)
		write_json();
	else if (argc == 3 && strcmp(argv[1], "seeds") == 0)
		write_seeds(argv[2]);
	else
		fprintf(stderr, "usage: make_proto_vectors json | seeds DIR\n");
	for (size_t i = 0; i < RECORD_SAMPLES; i++)
		guts_buf_deinit(&samples[i].envelope);
	return 0;
}
