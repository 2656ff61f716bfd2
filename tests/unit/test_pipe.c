/* tests/unit/test_pipe.c - the bounded queue between two threads. */
#include "base/alloc.h"
#include "base/rng.h"
#include "loop/pipe.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static void
count(void *arg)
{
	(*(int *)arg)++;
}

static void
test_bytes_in_order_round_the_ring(void **state)
{
	struct guts_pipe *p = guts_pipe_new(10);
	char got[16] = { 0 };

	(void)state;
	assert_int_equal(guts_pipe_read(p, got, 4), 0);
	assert_int_equal(guts_pipe_write(p, guts_slice_str("abcdefg")), 7);
	assert_int_equal(guts_pipe_read(p, got, 5), 5);
	assert_memory_equal(got, "abcde", 5);
	assert_int_equal(guts_pipe_write(p, guts_slice_str("hijklmnop")), 8); /* 2 + 8 = full */
	assert_int_equal(guts_pipe_write(p, guts_slice_str("z")), 0);
	assert_int_equal(guts_pipe_used(p), 10);

	struct guts_slice s;
	assert_int_equal(guts_pipe_peek(p, 100, &s), 5); /* up to the ring's end */
	assert_memory_equal(s.p, "fghij", 5);
	guts_pipe_consume(p, 1);
	assert_int_equal(guts_pipe_read(p, got, sizeof got), 9);
	assert_memory_equal(got, "ghijklmno", 9);

	guts_pipe_end(p, 0);
	assert_int_equal(guts_pipe_read(p, got, 1), GUTS_ECLOSED);
	guts_pipe_drop(p);
}

static void
test_end_comes_after_the_bytes(void **state)
{
	struct guts_pipe *p = guts_pipe_new(8);
	char got[8];

	(void)state;
	assert_int_equal(guts_pipe_write(p, guts_slice_str("rest")), 4);
	guts_pipe_end(p, GUTS_ETIMEOUT);
	assert_int_equal(guts_pipe_read(p, got, sizeof got), 4);
	assert_int_equal(guts_pipe_read(p, got, sizeof got), GUTS_ETIMEOUT);
	assert_int_equal(guts_pipe_read(p, got, sizeof got), GUTS_ETIMEOUT);
	guts_pipe_drop(p);
}

static void
test_writer_learns_of_drop(void **state)
{
	struct guts_pipe *p = guts_pipe_new(8);
	int rooms = 0, drops = 0;

	(void)state;
	guts_pipe_on_room(p, count, &rooms);
	guts_pipe_on_drop(p, count, &drops);
	assert_int_equal(guts_pipe_write(p, guts_slice_str("12345678")), 8);
	guts_pipe_wait_room(p);
	assert_int_equal(rooms, 0);
	guts_pipe_drop(p);
	assert_int_equal(rooms, 1);
	assert_int_equal(drops, 1);
	assert_int_equal(guts_pipe_write(p, guts_slice_str("x")), GUTS_ECLOSED);
	guts_pipe_end(p, 0);
}

static void
test_waits_fire_once(void **state)
{
	struct guts_pipe *p = guts_pipe_new(8);
	int rooms = 0, datas = 0;
	char got[8];

	(void)state;
	guts_pipe_on_room(p, count, &rooms);
	guts_pipe_on_data(p, count, &datas);

	guts_pipe_wait_room(p); /* there is room: at once */
	assert_int_equal(rooms, 1);
	guts_pipe_wait_data(p);
	assert_int_equal(datas, 0);
	guts_pipe_write(p, guts_slice_str("1234"));
	guts_pipe_write(p, guts_slice_str("5678"));
	assert_int_equal(datas, 1); /* not armed any more */
	guts_pipe_wait_data(p);
	assert_int_equal(datas, 2);

	guts_pipe_wait_room(p);
	assert_int_equal(guts_pipe_read(p, got, 1), 1);
	assert_int_equal(rooms, 1); /* less than a quarter */
	assert_int_equal(guts_pipe_read(p, got, 1), 1);
	assert_int_equal(rooms, 2);

	assert_int_equal(guts_pipe_read(p, got, 8), 6);
	guts_pipe_wait_data(p);
	guts_pipe_end(p, 0);
	assert_int_equal(datas, 3);
	guts_pipe_drop(p);
}

/* --- two threads, each sleeping when it must ------------------------------ */

#define TOTAL (8u << 20)

static sem_t room, data;

static void
wake(void *arg)
{
	sem_post(arg);
}

static uint8_t
byte_at(size_t i)
{
	return (uint8_t)(i * 31 >> 4);
}

static void *
write_all(void *arg)
{
	struct guts_pipe *p = arg;
	struct guts_rng r;
	uint8_t mem[9000];
	size_t done = 0;

	guts_rng_seed(&r, 1);
	while (done < TOTAL) {
		size_t n = 1 + (size_t)guts_rng_below(&r, sizeof mem);

		if (n > TOTAL - done)
			n = TOTAL - done;
		for (size_t i = 0; i < n; i++)
			mem[i] = byte_at(done + i);
		for (size_t off = 0; off < n;) {
			ssize_t took = guts_pipe_write(p, guts_slice(mem + off, n - off));

			assert_true(took >= 0);
			off += (size_t)took;
			if (off < n) {
				guts_pipe_wait_room(p);
				sem_wait(&room);
			}
		}
		done += n;
	}
	guts_pipe_end(p, 0);
	return NULL;
}

static void
test_two_threads(void **state)
{
	struct guts_pipe *p = guts_pipe_new(4000);
	struct guts_rng r;
	uint8_t mem[7000];
	size_t done = 0, wrong = 0;
	pthread_t t;

	(void)state;
	sem_init(&room, 0, 0);
	sem_init(&data, 0, 0);
	guts_pipe_on_room(p, wake, &room);
	guts_pipe_on_data(p, wake, &data);
	guts_rng_seed(&r, 2);
	assert_int_equal(pthread_create(&t, NULL, write_all, p), 0);
	for (;;) {
		ssize_t n = guts_pipe_read(p, mem, 1 + (size_t)guts_rng_below(&r, sizeof mem));

		if (n < 0) {
			assert_int_equal(n, GUTS_ECLOSED);
			break;
		}
		for (ssize_t i = 0; i < n; i++)
			wrong += mem[i] != byte_at(done + (size_t)i);
		done += (size_t)n;
		if (n == 0) {
			guts_pipe_wait_data(p);
			sem_wait(&data);
		}
	}
	guts_pipe_drop(p);
	pthread_join(t, NULL);
	assert_int_equal(wrong, 0);
	assert_int_equal(done, TOTAL);
	sem_destroy(&room);
	sem_destroy(&data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_in_order_round_the_ring),
		cmocka_unit_test(test_end_comes_after_the_bytes),
		cmocka_unit_test(test_writer_learns_of_drop),
		cmocka_unit_test(test_waits_fire_once),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests_name("pipe", tests, NULL, NULL);
}
