/* tests/fuzz/replay_main.c - main() for a fuzz target without a fuzzing engine.
 *
 * `make check` runs every target over its seeds with the ordinary compiler: each
 * seed as it is, then cut short and with a few bytes changed, from a fixed seed
 * that GUTS_SEED replaces.  fuzz_x reads $GUTS_SRCDIR/tests/fuzz/seeds/x; files
 * named on the command line (a crash of libFuzzer) are replayed as they are.
 * One TAP line per file; a fault shows as a sanitizer's report and no plan kept.
 */
#include "fuzz.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1u << 20) /* [bytes] larger seeds have no place in the tree */
#define SEEDS_MAX 4096u

static uint64_t state;

/* SplitMix64 (Steele, Lea, Flood 2014): enough to vary inputs. */
static uint64_t
next_random(void)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* Hand over an exact-size copy, so that one byte too far is seen. */
static void
feed(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (copy == NULL)
		abort();
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void
feed_changed(uint8_t *data, size_t size, unsigned rounds)
{
	static uint8_t changed[INPUT_MAX];

	for (unsigned i = 0; size > 0 && i < rounds; i++) {
		unsigned edits = 1 + (unsigned)(next_random() % 4);
		size_t len = size;

		memcpy(changed, data, size);
		for (unsigned k = 0; k < edits; k++)
			changed[next_random() % size] = (uint8_t)next_random();
		if (next_random() % 4 == 0)
			len = next_random() % size;
		feed(changed, len);
	}
}

/* Replay one file; -1 when it cannot be read. */
static int
replay(const char *path, unsigned rounds)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t size;

	if (f == NULL)
		return -1;
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	feed(data, size);
	feed_changed(data, size, rounds);
	return 0;
}

static int
is_seed(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int
replay_folder(const char *name, unsigned rounds)
{
	const char *top = getenv("GUTS_SRCDIR");
	char dir[2048], path[4096];
	struct dirent **list = NULL;
	int n, bad = 0;

	snprintf(dir, sizeof(dir), "%s/tests/fuzz/seeds/%s", top ? top : ".", name);
	n = scandir(dir, &list, is_seed, alphasort);
	if (n <= 0 || n > (int)SEEDS_MAX) {
		printf("1..1\nnot ok 1 - seeds in %s: %d\n", dir, n);
		return 1;
	}
	printf("1..%d\n", n);
	for (int i = 0; i < n; i++) {
		int failed;

		snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
		failed = replay(path, rounds) != 0;
		printf("%sok %d - %s/%s\n", failed ? "not " : "", i + 1, name, list[i]->d_name);
		fflush(stdout);
		bad |= failed;
		free(list[i]);
	}
	free(list);
	return bad;
}

int
main(int argc, char **argv)
{
	const char *seed = getenv("GUTS_SEED"), *name = strstr(argv[0], "fuzz_");
	int bad = 0;

	state = seed ? strtoull(seed, NULL, 0) : 1;
	if (argc == 1) {
		/* The last "fuzz_" is the program's, not a folder's. */
		for (const char *p = name; p != NULL; p = strstr(p + 1, "fuzz_"))
			name = p;
		printf("# seed %" PRIu64 "\n", state);
		return replay_folder(name ? name + strlen("fuzz_") : argv[0], 200);
	}
	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		int failed = replay(argv[i], 0) != 0;

		printf("%sok %d - %s\n", failed ? "not " : "", i, argv[i]);
		bad |= failed;
	}
	return bad;
}
