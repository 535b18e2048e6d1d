// The library people use: see connect.
