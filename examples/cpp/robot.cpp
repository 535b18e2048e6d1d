// Calls a robot's devices over gRPC, with nothing but what Debian has:
//
//   robot camera 127.0.0.1:7101          reads ten pictures
//   robot sound 127.0.0.1:7104           listens for half a second
//   robot serial 127.0.0.1:7103          prints five messages of a board
//   robot drive 127.0.0.1:7103 JSON      drives a board for two seconds
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>

#include <grpcpp/grpcpp.h>

#include "waldo/audio/v1/audio.grpc.pb.h"
#include "waldo/camera/v1/camera_service.grpc.pb.h"
#include "waldo/control/v1/control_service.grpc.pb.h"
#include "waldo/serial/v1/serial_service.grpc.pb.h"

using Channel = std::shared_ptr<grpc::Channel>;

// check ends the program with the device's own words, which name the remedy.
void check(const grpc::Status& status) {
  if (status.ok()) return;
  std::cerr << status.error_message() << " (code " << status.error_code() << ")\n";
  std::exit(1);
}

// authorize sends the robot's token along, if it has one.
void authorize(grpc::ClientContext& context) {
  if (const char* token = std::getenv("WALDO_TOKEN")) context.AddMetadata("authorization", std::string("Bearer ") + token);
}

// camera reads raw pictures. A program that is too slow for them gets fewer, not older ones.
void camera(const Channel& channel) {
  auto stub = waldo::camera::v1::CameraService::NewStub(channel);
  grpc::ClientContext context;
  authorize(context);
  waldo::camera::v1::StreamFramesRequest wanted;
  wanted.mutable_format()->set_media_type("video/raw");
  wanted.mutable_format()->set_pixel_format("BGR24");
  auto stream = stub->StreamFrames(&context, wanted);
  waldo::camera::v1::StreamFramesResponse step;
  for (int i = 0; i < 10 && stream->Read(&step); i++) {
    const auto& frame = step.frame();
    double sum = 0;
    for (unsigned char value : frame.data()) sum += value;
    std::cout << frame.sequence() << " " << frame.format().width_px() << "x" << frame.format().height_px()
              << " mean brightness " << sum / frame.data().size() << ", lost " << step.dropped_count() << "\n";
  }
  context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (status.error_code() != grpc::StatusCode::CANCELLED) check(status);
}

// sound listens to a microphone, at 16 kHz whatever the sound card's rate is.
void sound(const Channel& channel) {
  auto stub = waldo::audio::v1::AudioService::NewStub(channel);
  grpc::ClientContext context;
  authorize(context);
  waldo::audio::v1::StreamAudioRequest wanted;
  auto* format = wanted.mutable_format();
  format->set_media_type("audio/raw");
  format->set_sample_format("S16LE");
  format->set_sample_rate_hz(16000);
  format->set_channels(1);
  wanted.set_block_samples(320);
  auto stream = stub->StreamAudio(&context, wanted);
  waldo::audio::v1::StreamAudioResponse step;
  double sum = 0;
  int samples = 0;
  while (samples < 8000 && stream->Read(&step)) {
    const std::string& data = step.frame().data();
    for (size_t i = 0; i + 1 < data.size(); i += 2, samples++) {
      std::int16_t sample;
      std::memcpy(&sample, &data[i], sizeof sample);
      sum += double(sample) * sample;
    }
  }
  context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (status.error_code() != grpc::StatusCode::CANCELLED) check(status);
  std::cout << samples << " samples, level " << 20 * std::log10(std::sqrt(sum / samples) / 32768) << " dBFS\n";
}

// serial prints what a board sends.
void serial(const Channel& channel) {
  auto stub = waldo::serial::v1::SerialService::NewStub(channel);
  grpc::ClientContext context;
  authorize(context);
  auto stream = stub->StreamMessages(&context, {});
  waldo::serial::v1::StreamMessagesResponse step;
  for (int i = 0; i < 5 && stream->Read(&step); i++) std::cout << step.message().json() << "\n";
  context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (status.error_code() != grpc::StatusCode::CANCELLED) check(status);
}

// drive holds the lease of a board and sends twenty commands a second.
void drive(const Channel& channel, const std::string& json) {
  auto arbiter = waldo::control::v1::ControlService::NewStub(channel);
  auto board = waldo::serial::v1::SerialService::NewStub(channel);
  waldo::control::v1::AcquireRequest request;
  request.set_holder("robot.cpp");
  waldo::control::v1::AcquireResponse granted;
  grpc::ClientContext acquiring;
  authorize(acquiring);
  check(arbiter->Acquire(&acquiring, request, &granted));
  auto heard = granted.state().clock();
  for (int number = 1; number <= 40; number++) {
    waldo::serial::v1::WriteMessageRequest command;
    command.set_json(number == 1 ? granted.state().safe_json() : json);  // the first has to mean standing still
    command.mutable_control()->set_lease_epoch(granted.lease().epoch());
    command.mutable_control()->set_sequence(number);
    *command.mutable_control()->mutable_heard() = heard;
    waldo::serial::v1::WriteMessageResponse answer;
    grpc::ClientContext writing;
    authorize(writing);
    check(board->WriteMessage(&writing, command, &answer));
    heard = answer.report().clock();  // each command repeats the newest clock received from the board
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  waldo::control::v1::ReleaseRequest release;
  release.set_lease_epoch(granted.lease().epoch());
  waldo::control::v1::ReleaseResponse released;
  grpc::ClientContext releasing;
  authorize(releasing);
  check(arbiter->Release(&releasing, release, &released));
  std::cout << "sent 40 commands\n";
}

int main(int count, char** arguments) {
  const std::string what = count > 2 ? arguments[1] : "";
  grpc::ChannelArguments options;
  options.SetMaxReceiveMessageSize(64 << 20);  // a raw picture is larger than gRPC's 4 MiB
  const Channel channel = count > 2 ? grpc::CreateCustomChannel(arguments[2], grpc::InsecureChannelCredentials(), options) : nullptr;
  if (what == "camera") camera(channel);
  else if (what == "sound") sound(channel);
  else if (what == "serial") serial(channel);
  else if (what == "drive" && count > 3) drive(channel, arguments[3]);
  else std::cerr << "usage: robot camera|sound|serial ADDRESS, or robot drive ADDRESS JSON\n", std::exit(2);
}
