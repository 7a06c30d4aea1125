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

// Infinities and NaNs have all bits of the exponent set. One number that only grows: a loop that may leave early goes value by value.
static int are_finite_(size_t n, const unsigned char *x) {
    uint32_t found = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i * sizeof bits, sizeof bits);
        found |= (bits & 0x7F800000u) == 0x7F800000u ? 1 : 0;
    }
    return found == 0;
}
