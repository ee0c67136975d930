#include "net/record_table.hpp"
#include "tests/fuzz/words.hpp"
#include "tests/net/random_message.hpp"
#include "tests/net/raw_packet.hpp"

// Records as a peer may seal them: the input is the body. What is taken keeps every bound, says the
// same when it is said again, and stays in the table only within its time.
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

struct Peer {
  Identity self = Identity::from_seed(Secret<32>{{7}});
  MeshId mesh = digest_of(view("fuzzed mesh"));
  Codec codec{self, mesh};
};

const Peer& peer() {
  static const Peer it;
  return it;
}

} // namespace

std::vector<Bytes> tessera::fuzz::seeds() {
  std::vector<Bytes> all;
  for (std::uint64_t n = 0; n != 8; ++n) {
    auto good = RandomMessage{peer().self, peer().codec, n}.record();
    good.expires_ms = unix_ms + 90'000;
    all.push_back(peer().codec.seal_record(good)->seal.body);
  }
  return all;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max, unsigned seed) {
  return fuzz::mutated_words(data, size, max, seed, 0);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto& [self, mesh, codec] = peer();
  const auto heard = read(codec, self, seal(self, mesh, SealType::record, {data, data + size}));
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
