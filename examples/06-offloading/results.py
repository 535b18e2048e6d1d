"""Prints what the workers have found, in the order of the frames, and who has found it."""
import waldo

for result in waldo.Robot().results("front", "light"):
    print(f"frame {result.sequence}: {result.value}, {1000 * result.age:.0f} ms old, by {result.worker}")
