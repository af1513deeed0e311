#include "unpack.h"

#include <dlfcn.h>
#include <string.h>

/* libcrypto's own functions, with its CPU dispatch (SHA-NI, ARMv8): five times ours and more. */
static int (*crypto_init)(void *);
static int (*crypto_update)(void *, const void *, size_t);
static int (*crypto_final)(unsigned char *, void *);

static const uint32_t rounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

struct own {
  uint32_t state[8];
  uint64_t length;
  unsigned char block[64];
};
_Static_assert(sizeof(struct own) <= sizeof(struct sha256), "a hash fits its handle");

static uint32_t rotate(uint32_t word, int by) { return word >> by | word << (32 - by); }

static void compress(uint32_t state[8], const unsigned char *block) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[i * 4] << 24 | (uint32_t)block[i * 4 + 1] << 16 |
           (uint32_t)block[i * 4 + 2] << 8 | block[i * 4 + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(v, state, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t e = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
    uint32_t one = v[7] + e + ((v[4] & v[5]) ^ (~v[4] & v[6])) + rounds[i] + w[i];
    uint32_t a = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
    uint32_t two = a + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += one;
    v[0] = one + two;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}

static void own_update(struct own *hash, const unsigned char *data, size_t length) {
  size_t held = hash->length % 64;
  hash->length += length;
  if (held > 0) {
    size_t take = length < 64 - held ? length : 64 - held;
    memcpy(hash->block + held, data, take);
    if (held + take < 64) return;
    compress(hash->state, hash->block);
    data += take;
    length -= take;
  }
  for (; length >= 64; data += 64, length -= 64) compress(hash->state, data);
  memcpy(hash->block, data, length);
}

static void own_final(struct own *hash, unsigned char digest[32]) {
  uint64_t bits = hash->length * 8;
  unsigned char tail[72] = {0x80};
  size_t padding = (hash->length % 64 < 56 ? 56 : 120) - hash->length % 64;
  for (int i = 0; i < 8; i++) tail[padding + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
  own_update(hash, tail, padding + 8);
  for (int i = 0; i < 32; i++)
    digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_prepare(bool own) {
  void *crypto = own ? NULL : dlopen("libcrypto.so.3", RTLD_NOW);
  if (crypto == NULL) return;
  *(void **)&crypto_init = dlsym(crypto, "SHA256_Init");
  *(void **)&crypto_update = dlsym(crypto, "SHA256_Update");
  *(void **)&crypto_final = dlsym(crypto, "SHA256_Final");
  if (crypto_update == NULL || crypto_final == NULL) crypto_init = NULL;
}

void sha256_init(struct sha256 *hash) {
  if (crypto_init != NULL) {
    crypto_init(hash->opaque);
    return;
  }
  struct own start = {.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
  memcpy(hash->opaque, &start, sizeof start);
}

void sha256_update(struct sha256 *hash, const void *data, size_t length) {
  if (crypto_init != NULL)
    crypto_update(hash->opaque, data, length);
  else
    own_update((struct own *)(void *)hash->opaque, data, length);
}

void sha256_final(struct sha256 *hash, unsigned char digest[32]) {
  if (crypto_init != NULL)
    crypto_final(digest, hash->opaque);
  else
    own_final((struct own *)(void *)hash->opaque, digest);
}
