"""The yardstick for raw pictures: a server of plain grpcio that streams the same bytes, as fast as they are taken or at
a rate. Arguments: bytes of a message, messages per second (0: as fast as they are taken)."""

import sys
import time
from concurrent import futures

import grpc


def main() -> None:
    data, rate = bytes(int(sys.argv[1])), float(sys.argv[2])

    def stream(_request: bytes, context: grpc.ServicerContext):
        due = time.monotonic()
        while context.is_active():
            yield data
            if rate:
                due += 1 / rate
                time.sleep(max(0.0, due - time.monotonic()))

    handler = grpc.unary_stream_rpc_method_handler(stream)
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Bare", {"Stream": handler}),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


main()
