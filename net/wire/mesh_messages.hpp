#pragma once

#include "net/wire/parts.hpp"

// Membership's messages as Cap'n Proto and back.
namespace tessera::wire {

void to_wire(Record::Builder to, const tessera::Record& record);
void to_wire(ForwardJoin::Builder to, const tessera::ForwardJoin& join);
void to_wire(DialBackAnswer::Builder to, const tessera::DialBackAnswer& answer);
void to_wire(Neighbor::Builder to, const tessera::Neighbor& neighbor);
void to_wire(NeighborReply::Builder to, const tessera::NeighborReply& reply);
void to_wire(Disconnect::Builder to, const tessera::Disconnect& disconnect);
void to_wire(Shuffle::Builder to, const tessera::Shuffle& shuffle);
void to_wire(ShuffleReply::Builder to, const tessera::ShuffleReply& reply);

tessera::Record from_wire(Record::Reader from);
tessera::ForwardJoin from_wire(ForwardJoin::Reader from);
tessera::DialBackAnswer from_wire(DialBackAnswer::Reader from);
tessera::Neighbor from_wire(Neighbor::Reader from);
tessera::NeighborReply from_wire(NeighborReply::Reader from);
tessera::Disconnect from_wire(Disconnect::Reader from);
tessera::Shuffle from_wire(Shuffle::Reader from);
tessera::ShuffleReply from_wire(ShuffleReply::Reader from);

} // namespace tessera::wire
