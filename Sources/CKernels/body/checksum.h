// A checksum at the speed of memory: 32 lanes of 64 bits, each of which multiplies and rotates its own words.
//
// Every step of a lane is a bijection, so that one changed word always shows; all is integer arithmetic, so that the instruction
// set does not.

static void checksum_add_(uint64_t *restrict lanes, size_t rounds, const unsigned char *bytes) {
    uint64_t own[CK_CHECKSUM_LANES];
    memcpy(own, lanes, sizeof own);
    for (size_t round = 0; round < rounds; round++) {
        uint64_t words[CK_CHECKSUM_LANES];
        memcpy(words, bytes + round * sizeof words, sizeof words);
        for (int l = 0; l < CK_CHECKSUM_LANES; l++) {
            uint64_t mixed = (own[l] ^ words[l]) * CK_CHECKSUM_PRIME;
            own[l] = mixed << 29 | mixed >> 35;
        }
    }
    memcpy(lanes, own, sizeof own);
}
