// Work for the processor and its memory, the same source for both walls: `cpu sha256 MIB`, `cpu n-body STEPS`,
// `cpu compress MIB` and `cpu memory STEPS`.
#include "clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t value, int bits) {
  return value >> bits | value << (32 - bits);
}

// One block of FIPS 180-4, section 6.2.2.
static void hash_block(uint32_t state[8], const uint8_t *block) {
  uint32_t w[64];
  for (int t = 0; t < 16; t++)
    w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
           block[4 * t + 3];
  for (int t = 16; t < 64; t++) {
    uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
    uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6],
           h = state[7];
  for (int t = 0; t < 64; t++) {
    uint32_t one =
        h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
    uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  const uint32_t add[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++)
    state[i] += add[i];
}

static int sha256(long mib) {
  static uint8_t chunk[1 << 16];
  for (size_t i = 0; i < sizeof chunk; i++)
    chunk[i] = (uint8_t)(i * 31);
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  int64_t start_ns = now_ns();
  for (long i = 0; i < mib * 16; i++)
    for (size_t at = 0; at < sizeof chunk; at += 64)
      hash_block(state, chunk + at);
  fprintf(stderr, "%08x\n", state[0]);
  return report_ns(start_ns);
}

enum { BODIES = 5 };

static struct body { double x, y, z, vx, vy, vz, mass; } bodies[BODIES];

static void advance(double step) {
  for (int i = 0; i < BODIES; i++)
    for (int j = i + 1; j < BODIES; j++) {
      struct body *a = &bodies[i], *b = &bodies[j];
      double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
      double squared = dx * dx + dy * dy + dz * dz;
      double pull = step / (squared * sqrt(squared));
      a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull, a->vz -= dz * b->mass * pull;
      b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull, b->vz += dz * a->mass * pull;
    }
  for (int i = 0; i < BODIES; i++) {
    bodies[i].x += step * bodies[i].vx;
    bodies[i].y += step * bodies[i].vy;
    bodies[i].z += step * bodies[i].vz;
  }
}

static int n_body(long steps) {
  for (int i = 0; i < BODIES; i++)
    bodies[i] = (struct body){
        .x = 5 * i, .y = i % 2, .z = -i, .vx = 0, .vy = i ? 2.8 / i : 0, .vz = 0.1, .mass = i ? 0.01 * i : 39};
  int64_t start_ns = now_ns();
  for (long i = 0; i < steps; i++)
    advance(0.001);
  fprintf(stderr, "%.9f\n", bodies[1].x);
  return report_ns(start_ns);
}

enum { MATCH_LEAST = 4, MATCH_MOST = 255, TABLE_SIZE = 1 << 14, TEXT_BYTES = 1 << 18 };

// A compressor of the LZ77 kind: the last place of each four bytes is remembered, and what repeats is written as a pair.
static size_t compress_text(const uint8_t *text, size_t length, uint8_t *output) {
  static uint32_t last[TABLE_SIZE];
  memset(last, 0, sizeof last);
  size_t used = 0;
  for (size_t at = 0; at < length;) {
    size_t match = 0, from = 0;
    if (at + MATCH_LEAST < length) {
      uint32_t four;
      memcpy(&four, text + at, sizeof four);
      uint32_t *place = &last[four * 2654435761u >> 18];
      from = *place;
      *place = (uint32_t)at;
      while (from < at && match < MATCH_MOST && at + match < length && text[from + match] == text[at + match])
        match++;
    }
    if (match >= MATCH_LEAST) {
      output[used++] = (uint8_t)match;
      output[used++] = (uint8_t)(at - from);
      output[used++] = (uint8_t)((at - from) >> 8);
      at += match;
    } else {
      output[used++] = 0;
      output[used++] = text[at++];
    }
  }
  return used;
}

static int compress(long mib) {
  static const char *const words[] = {"layer ", "image ", "wall ", "guest ", "root ", "of ", "the ", "module "};
  static uint8_t text[TEXT_BYTES], output[2 * TEXT_BYTES];
  uint32_t state = 1;
  for (size_t at = 0; at + 8 < sizeof text;) {
    state = state * 1664525 + 1013904223;
    const char *word = words[state >> 29];
    memcpy(text + at, word, strlen(word));
    at += strlen(word);
  }
  size_t bytes = 0;
  int64_t start_ns = now_ns();
  for (long i = 0; i < mib * 4; i++)
    bytes += compress_text(text, sizeof text, output);
  fprintf(stderr, "%zu\n", bytes);
  return report_ns(start_ns);
}

enum { PLACES = 1 << 22 };

// Reads from place to place, each told by the one before, over 16 MiB: more than what is near the processor.
static int memory(long steps) {
  uint32_t *next = malloc(PLACES * sizeof *next);
  if (next == NULL)
    return 1;
  for (uint32_t i = 0; i < PLACES; i++)
    next[i] = (i * 1664525 + 1013904223) % PLACES;
  uint32_t at = 0;
  int64_t start_ns = now_ns();
  for (long i = 0; i < steps; i++)
    at = next[at];
  fprintf(stderr, "%u\n", at);
  return report_ns(start_ns);
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  long amount = strtol(argv[2], NULL, 10);
  if (strcmp(argv[1], "sha256") == 0)
    return sha256(amount);
  if (strcmp(argv[1], "n-body") == 0)
    return n_body(amount);
  if (strcmp(argv[1], "compress") == 0)
    return compress(amount);
  if (strcmp(argv[1], "memory") == 0)
    return memory(amount);
  return 2;
}
