#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

#include "alsa.h"

static void ignore(const char *text) { (void)text; }

static void ignore_alsa(const char *file, int line, const char *function, int err, const char *format, ...)
{
	(void)file, (void)line, (void)function, (void)err, (void)format;
}

// JACK and ALSA come with PortAudio, or not at all.
void waldo_quiet(void)
{
	const char *jack[] = {"jack_set_error_function", "jack_set_info_function"};
	for (size_t i = 0; i < sizeof jack / sizeof *jack; i++) {
		void (*set)(void (*)(const char *)) = dlsym(RTLD_DEFAULT, jack[i]);
		if (set)
			set(ignore);
	}
	int (*alsa)(void (*)(const char *, int, const char *, int, const char *, ...)) = dlsym(RTLD_DEFAULT, "snd_lib_error_set_handler");
	if (alsa)
		alsa(ignore_alsa);
}

int waldo_alsa_configured(void)
{
	int (*update)(void) = dlsym(RTLD_DEFAULT, "snd_config_update");
	int (*search)(void *, const char *, void **) = dlsym(RTLD_DEFAULT, "snd_config_search");
	void **top = dlsym(RTLD_DEFAULT, "snd_config"), *found;
	if (!update || !search || !top)
		return 1;
	return update() >= 0 && *top && search(*top, "pcm.default", &found) == 0;
}
