import { randomInt } from 'node:crypto'
import { EngineError } from '../errors.js'

/** What a container may be called (Docker Engine API, `POST /containers/create`). */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$/

const ADJECTIVES = [
  ...['afloat', 'amber', 'brisk', 'bright', 'buoyant', 'calm', 'candid', 'clear', 'cool', 'curious', 'dappled', 'deft', 'drifting'],
  ...['eager', 'early', 'fair', 'fern', 'fluent', 'fresh', 'gentle', 'glad', 'green', 'hardy', 'keen', 'kind', 'light', 'lively'],
  ...['lucid', 'lush', 'mellow', 'merry', 'mild', 'minute', 'mossy', 'neat', 'nimble', 'open', 'patient', 'placid', 'plain'],
  ...['polite', 'prompt', 'quick', 'quiet', 'rapid', 'ready', 'rippling', 'rooted', 'serene', 'shy', 'silent', 'simple', 'sleek'],
  ...[
    'small',
    'smooth',
    'sober',
    'spry',
    'still',
    'sunlit',
    'supple',
    'swift',
    'tidy',
    'tiny',
    'tranquil',
    'vivid',
    'warm',
    'wary',
    'wise',
  ],
]

/** Botanists, mostly of water plants and of the very small. */
const SURNAMES = [
  ...['arber', 'banks', 'barton', 'bartram', 'bauhin', 'bentham', 'bonpland', 'braun', 'brown', 'candolle', 'carver', 'colden'],
  ...['commerson', 'daubs', 'eastwood', 'engelmann', 'engler', 'esau', 'fuchs', 'gray', 'haenke', 'hedwig', 'hegelmaier', 'hooker'],
  ...['horkel', 'humboldt', 'jussieu', 'kalm', 'kamienski', 'kunth', 'landolt', 'lindley', 'linnaeus', 'malpighi', 'margulis', 'martius'],
  ...['mendel', 'merian', 'mexia', 'michaux', 'micheli', 'mohl', 'nees', 'north', 'persoon', 'pringle', 'ray', 'roxburgh', 'sachs'],
  ...[
    'sage',
    'schleiden',
    'sessions',
    'sloane',
    'solander',
    'strasburger',
    'tharp',
    'thunberg',
    'tournefort',
    'turpin',
    'weddell',
    'wolff',
  ],
]

/** A name nobody had to think of: `placid_arber`. From the third `attempt` on with a number, so that looking for a free one ends. */
export function randomName(attempt = 0): string {
  const name = `${pick(ADJECTIVES)}_${pick(SURNAMES)}`
  return attempt < 2 ? name : `${name}_${randomInt(10 ** Math.min(attempt, 9))}`
}

/** Rejects what docker rejects as the name of a container. */
export function assertContainerName(name: string): void {
  if (NAME.test(name)) return
  throw new EngineError('INVALID_ARGUMENT', `invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`, {
    data: { name },
    hint: 'A name has 2 to 128 letters, digits, "_", "." and "-", and starts with a letter or digit.',
  })
}

function pick(list: readonly string[]): string {
  return list[randomInt(list.length)] ?? ''
}
