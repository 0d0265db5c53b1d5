import * as assert from 'uvu/assert'
import { measure, type Subject } from '../../bench/measure.js'
import { seededRandom } from '../../bench/random.js'
import { estimateRatio, showsDifference } from '../../bench/statistics.js'
import { suite } from '../support/suite.js'

const test = suite('bench/measure')
const noPause = async () => {}

/** A machine made of numbers: its speed drifts by a third and back, and every sample has noise of its own. */
function driftingMachine(seed: number): (cost: number) => number {
  const random = seededRandom(seed)
  let step = 0
  return (cost) => cost * (1 + 0.33 * Math.sin(step++ / 40)) * (1 + 0.03 * (random() - 0.5)) * (random() < 0.02 ? 4 : 1)
}

function subject(name: string, cost: number, machine: (cost: number) => number): Subject {
  return { name, sample: async () => machine(cost) }
}

async function ratioOf(slower: number, seed: number) {
  const machine = driftingMachine(seed)
  const [left, right] = await measure([subject('left', slower, machine), subject('right', 1, machine)], {
    rounds: 60,
    warmUps: 2,
    seed,
    pause: noPause,
  })
  return estimateRatio(left?.samples ?? [], right?.samples ?? [], { seed, resamples: 400 })
}

test('a planted difference of 10 % is found on a machine that drifts by a third', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const ratio = await ratioOf(1.1, seed)
    assert.ok(showsDifference(ratio) && Math.abs(ratio.value - 1.1) < 0.03, JSON.stringify({ seed, ratio }))
  }
})

test('where nothing is planted nothing is claimed, but for one time in twenty', async () => {
  let claimed = 0
  for (let seed = 1; seed <= 60; seed++) if (showsDifference(await ratioOf(1, seed))) claimed++
  assert.ok(claimed <= 7, `${claimed} of 60`)
})

test('each round runs every subject once, in an order of its own', async () => {
  const order: string[] = []
  const subjects = ['a', 'b', 'c'].map((name) => ({
    name,
    sample: async () => {
      order.push(name)
      return 1
    },
  }))
  await measure(subjects, { rounds: 30, warmUps: 0, seed: 1, pause: noPause })
  const rounds = Array.from({ length: 30 }, (_, round) => order.slice(round * 3, round * 3 + 3).join(''))
  assert.ok(rounds.every((round) => [...round].sort().join('') === 'abc'))
  assert.ok(new Set(rounds).size >= 5)
})

test('warm-up rounds do not count', async () => {
  let calls = 0
  const [series] = await measure([{ name: 'a', sample: async () => ++calls }], { rounds: 3, warmUps: 2, seed: 1, pause: noPause })
  assert.equal(series?.samples, [3, 4, 5])
})

test('a subject that fails says why and the others go on', async () => {
  let calls = 0
  const broken = {
    name: 'broken',
    sample: async () => {
      if (++calls === 3) throw new Error('out of luck')
      return 1
    },
  }
  const [left, right] = await measure([broken, { name: 'sound', sample: async () => 2 }], {
    rounds: 5,
    warmUps: 0,
    seed: 1,
    pause: noPause,
  })
  assert.is(left?.failure, 'out of luck')
  assert.is(right?.failure, null)
  assert.is(right?.samples.length, 5)
})

test('a subject that takes too long sits out the later rounds, and is compared by those that it was in', async () => {
  const slow = { name: 'slow', sample: () => new Promise<number>((resolve) => setTimeout(() => resolve(2), 60)) }
  const [fast, seldom] = await measure([{ name: 'fast', sample: async () => 1 }, slow], {
    rounds: 40,
    warmUps: 0,
    seed: 1,
    pause: noPause,
    patience: { atMostMs: 50, minRounds: 3 },
  })
  assert.is(fast?.samples.length, 40)
  assert.equal(seldom?.samples, [2, 2, 2])
  assert.is(estimateRatio(seldom?.samples ?? [], fast?.samples ?? [], { seed: 1 }).value, 2)
})

test('what there is comes back when it is stopped, whole rounds only', async () => {
  const stop = new AbortController()
  let calls = 0
  const counting = (name: string): Subject => ({
    name,
    sample: async () => {
      if (++calls === 8) stop.abort()
      return calls
    },
  })
  const series = await measure([counting('a'), counting('b'), counting('c')], {
    rounds: 100,
    warmUps: 0,
    seed: 1,
    pause: noPause,
    signal: stop.signal,
  })
  assert.ok(series.every(({ samples }) => samples.length === 2))
})

test('with a precision wanted, a noisy subject gets more rounds than a steady one, up to a bound', async () => {
  const rounds = async (noise: number, maxRounds: number) => {
    const random = seededRandom(5)
    const value = async () => 1 + noise * (random() - 0.5)
    const subjects = ['a', 'b'].map((name) => ({ name, sample: value }))
    const [series] = await measure(subjects, {
      rounds: 10,
      precision: { atMost: 0.02, maxRounds },
      warmUps: 0,
      seed: 1,
      pause: noPause,
    })
    return series?.samples.length ?? 0
  }
  assert.is(await rounds(0.001, 200), 10)
  const many = await rounds(0.25, 2000)
  assert.ok(many > 50 && many < 2000, `${many}`)
  assert.is(await rounds(0.4, 40), 40)
})

test.run()
