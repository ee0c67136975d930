#include "node/painter_actor.hpp"

#include <sys/resource.h>

namespace tessera {
namespace {

constexpr int niceness = 10; // As workers have it.

Error lost(const std::string& why) {
  return {"E112", "some of the picture is not here", why, "ask again"};
}

void paint_piece(Preview& preview, const PaintWork::Piece& piece) {
  const auto paint = [&](ByteView bytes) {
    preview.paint(piece.first, piece.end, bytes.subspan(std::min(piece.skip, bytes.size())));
  };
  if (!piece.file)
    return paint(piece.bytes);
  if (const auto mapped = Mapping::of(*piece.file))
    paint(mapped->bytes());
}

Status paint(const PaintWork& work) {
  for (const auto& piece : work.pieces)
    paint_piece(*work.preview, piece);
  if (!work.whole)
    return Nothing{};
  const auto file = Mapping::of(*work.whole);
  return file ? work.preview->paint_file(file->bytes()) : lost(file.error().why);
}

Painted painted(const PaintWork& work) {
  Bytes png;
  auto done = paint(work);
  if (done)
    done = work.preview->write(png);
  if (!done)
    return {nullptr, done.error()};
  return {std::make_shared<const Bytes>(std::move(png)), {}};
}

} // namespace

caf::behavior painter_actor(caf::stateful_actor<PainterShell>* self, caf::actor api) {
  ::setpriority(PRIO_PROCESS, 0, niceness); // Of this thread, on Linux.
  self->monitor(api);
  self->set_down_handler([=](const caf::down_msg&) { self->quit(); });
  return {[](const PaintWork& work) { return painted(work); }};
}

} // namespace tessera
