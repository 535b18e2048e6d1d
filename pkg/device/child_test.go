package device

const childVariable = "WALDO_DEVICE_TEST_CHILD"

func child() {}
