// waldo_quiet keeps libraries under PortAudio from writing to the standard error whatever they try in vain.
void waldo_quiet(void);
