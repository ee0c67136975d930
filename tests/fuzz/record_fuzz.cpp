#include "net/record_table.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/net/random_message.hpp"
#include "tests/net/raw_packet.hpp"

// Records as a peer may seal them: a good one's body, damaged, or any bytes. What is taken keeps
// every bound, says the same when it is said again, and stays in the table only within its time.
// Input: 0 or 1 (damaged, any), then a seed and the damage, or the bytes.
namespace {

using namespace tessera;
using fuzz::must;

constexpr std::int64_t unix_ms = 1'700'000'000'000;

RecordPtr read(const Codec& codec, const Identity& self, const Signed& seal) {
  const auto message = codec.decode(self.id(), raw::records_packet({seal}));
  const auto* read = std::get_if<Message>(&message);
  return read ? std::get<Records>(*read).records.at(0) : nullptr;
}

void check_bounds(const Record& r) {
  must(r.name.size() <= text_bytes_max && r.version.size() <= text_bytes_max);
  must(r.addresses.size() <= addresses_max && r.kernels.size() <= kernels_max);
  for (const auto& a : r.addresses)
    must(a.host.size() <= text_bytes_max);
  must(r.speed >= 0 && r.load >= 0); // No NaN.
}

void check_table(const RecordPtr& record) {
  RecordTable table{2};
  const auto nobody = [](const NodeId&) { return false; };
  const auto hour = std::chrono::hours(1);
  const bool news = table.offer(record, {}, unix_ms, hour, nobody, Time{}).news;
  must(news == (table.find(record->record.subject) == record));
  must(!news ||
       (record->record.expires_ms > unix_ms && record->record.expires_ms <= unix_ms + 3'600'000));
  must(!table.offer(record, {}, unix_ms, hour, nobody, Time{}).news);
  table.expire(unix_ms + 3'600'000);
  must(table.all().empty());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto self = Identity::from_seed(Secret<32>{{7}});
  static const auto mesh = digest_of(view("fuzzed mesh"));
  static const Codec codec{self, mesh};
  fuzz::Input input{{data, size}};
  Bytes body;
  if (input.byte() % 2) {
    body = to_bytes(input.rest);
  } else {
    auto good = RandomMessage{self, codec, input.byte()}.record();
    good.expires_ms = unix_ms + 90'000;
    body = fuzz::damaged(codec.seal_record(good)->seal.body, input);
  }
  const auto heard = read(codec, self, seal(self, mesh, SealType::record, body));
  if (!heard)
    return 0;
  must(heard->record.subject == self.id());
  check_bounds(heard->record);
  const auto again = codec.seal_record(heard->record);
  const auto reheard = read(codec, self, again->seal);
  must(reheard && reheard->record == heard->record);
  check_table(heard);
  return 0;
}
