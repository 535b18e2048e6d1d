// waldo_quiet keeps libraries under PortAudio from writing to the standard error whatever they try in vain.
void waldo_quiet(void);

// waldo_alsa_configured tells whether ALSA knows what is called default; also true where there is no ALSA.
int waldo_alsa_configured(void);
