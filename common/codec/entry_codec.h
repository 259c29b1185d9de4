#pragma once

#include "common/codec/cbor.h"
#include "common/log/entry.h"

namespace dunlin {

// canonical(entry) = [seq, hlc, [* op]], op = [code, ...]; the CDDL is in
// common/doc/wire_format.md.

void encode_op(CborWriter& writer, const Op& op);
// Strict. Unknown codes, and known ones with more fields than they have here, become UnknownOp.
Result<Op> decode_op(ByteView cbor);

Bytes encode_entry(const Entry& entry);
// Refuses more than kEntryBytesMax with `too_large`.
Result<Entry> decode_entry(ByteView cbor);

// SHA-256(canonical(entry)); `scratch` is reused between calls and holds the canonical bytes after.
Hash entry_digest(const Entry& entry, Bytes& scratch);

}  // namespace dunlin
