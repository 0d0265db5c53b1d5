// A plugin that has something to do before its first call: a sieve of all numbers below a million.
enum { NUMBERS = 1000000, PRIMES = 78498 };

static unsigned char is_composite[NUMBERS];
static unsigned primes[PRIMES];
static unsigned prime_count;

__attribute__((export_name("prepare"))) void prepare(void) {
  prime_count = 0;
  for (unsigned number = 2; number < NUMBERS; number++) {
    if (is_composite[number])
      continue;
    primes[prime_count++] = number;
    for (unsigned long long multiple = (unsigned long long)number * number; multiple < NUMBERS; multiple += number)
      is_composite[multiple] = 1;
  }
}

// The prime with this number, counted from 1; 0 where there is none, or nothing is prepared.
__attribute__((export_name("prime"))) unsigned prime(unsigned place) {
  return place >= 1 && place <= prime_count ? primes[place - 1] : 0;
}
