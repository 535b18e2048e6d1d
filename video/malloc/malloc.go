//go:build cgo

package malloc

/*
#include <malloc.h>

#ifdef __GLIBC__
// A constructor runs before main and before Go starts threads: a thread keeps the arena it once had.
__attribute__((constructor)) static void waldo_bound_malloc(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}
#endif
*/
import "C"
