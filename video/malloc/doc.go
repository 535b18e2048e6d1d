// Package malloc bounds the memory that C libraries leave behind in a process that calls them from many threads. It has
// no functions: importing it is enough, and every package of this module that wraps a C library does so.
//
// Go calls C on whichever thread is free, and under load there are a dozen of them. glibc gives each thread that calls
// malloc an arena of its own, up to eight per core, and keeps in it what was freed. It also raises its threshold for
// memory that it maps and unmaps by the piece to the largest piece freed so far (up to 32 MiB), so that whole pictures
// come to lie in the arenas too. With readers of JPEG, H.264 and raw pictures that came and went on a busy machine with
// two cores, the arenas of one camera process grew to 57 MiB, and 52 MiB of it stayed when the last reader had gone.
// With VP8 among the formats, a camera of 1280x720 grew to 380 MiB in eight minutes, where it now stays below 40 MiB
// (TestMemoryStays in e2e).
//
// So there is one arena, and the threshold stays at its initial value: whatever is as large as a picture or an
// encoder's buffer goes back to the system when it is freed. Codecs allocate when they are created and otherwise
// little, so threads hardly wait for one another in the one arena.
//
// It needs cgo and takes effect with glibc; see mallopt(3), M_ARENA_MAX and M_MMAP_THRESHOLD.
package malloc
