// A plugin whose initialisation takes its time and leaves a mebibyte behind: `prepare`, then `ask`.
enum { ENTRIES = 1 << 18 };

static unsigned entries[ENTRIES];

__attribute__((export_name("prepare"))) void prepare(void) {
  for (unsigned round = 0; round < ROUNDS; round++)
    for (unsigned i = 0; i < ENTRIES; i++)
      entries[i] = (entries[i] + i + round) * 2654435761u;
}

__attribute__((export_name("ask"))) unsigned ask(unsigned place) {
  return entries[place % ENTRIES];
}
