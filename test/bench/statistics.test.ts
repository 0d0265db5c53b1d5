import * as assert from 'uvu/assert'
import { seededRandom } from '../../bench/random.js'
import {
  countOutliers,
  estimateChange,
  estimateDifference,
  estimateGrowth,
  estimateMedian,
  estimateRatio,
  familyConfidence,
  median,
  quantile,
  showsDifference,
} from '../../bench/statistics.js'
import { suite } from '../support/suite.js'

const test = suite('bench/statistics')

/** Normally distributed values (Box and Muller), always the same for a seed. */
function normal(count: number, mean: number, deviation: number, seed: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => mean + deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()))
}

test('median and quantiles of known series', () => {
  assert.is(median([3, 1, 2]), 2)
  assert.is(median([4, 1, 3, 2]), 2.5)
  assert.is(quantile([0, 10], 0.25), 2.5)
  assert.is(quantile([5], 0.99), 5)
  assert.ok(Number.isNaN(median([])))
})

test('the generator is uniform, repeats itself for a seed and differs between seeds', () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed)
    return Array.from({ length: 10_000 }, random)
  }
  const values = draw(1)
  assert.equal(values.slice(0, 5), draw(1).slice(0, 5))
  assert.not.equal(values.slice(0, 5), draw(2).slice(0, 5))
  assert.ok(Math.abs(values.reduce((sum, value) => sum + value, 0) / values.length - 0.5) < 0.01)
  assert.ok(values.every((value) => value >= 0 && value < 1))
})

test('the interval of a median holds the true median in about 95 of 100 experiments', () => {
  let held = 0
  for (let seed = 1; seed <= 200; seed++) {
    const { low, high } = estimateMedian(normal(40, 10, 2, seed), { seed, resamples: 300 })
    if (low <= 10 && 10 <= high) held++
  }
  assert.ok(held >= 180 && held <= 199, `${held} of 200`)
})

test('the interval of a ratio holds the true ratio in about 95 of 100 experiments', () => {
  let held = 0
  for (let seed = 1; seed <= 200; seed++) {
    const { low, high } = estimateRatio(normal(40, 13, 1, seed), normal(40, 10, 1, seed + 1000), { seed, resamples: 300 })
    if (low <= 1.3 && 1.3 <= high) held++
  }
  assert.ok(held >= 180 && held <= 199, `${held} of 200`)
})

test('a slow spell of the machine that meets both sides does not widen the ratio', () => {
  const spell = (round: number) => (round % 7 === 0 ? 3 : 1)
  const left = normal(60, 10, 0.1, 3).map((value, round) => value * spell(round))
  const right = normal(60, 5, 0.05, 4).map((value, round) => value * spell(round))
  const { value, low, high } = estimateRatio(left, right, { seed: 5 })
  assert.ok(Math.abs(value - 2) < 0.02, String(value))
  assert.ok(high - low < 0.05, `${low} to ${high}`)
})

test('a difference of medians is estimated in the unit of the series', () => {
  const { value, low, high } = estimateDifference(normal(50, 30, 1, 6), normal(50, 20, 1, 7), { seed: 8 })
  assert.ok(low < 10 && 10 < high && Math.abs(value - 10) < 1)
})

test('rounds that one of two series does not have are not looked at', () => {
  const { value, low, high } = estimateRatio([2, 2, 2], [1, 1, 1, 50, 50, 50, 50], { seed: 1 })
  assert.equal([value, low, high], [2, 2, 2])
})

test('an interval that holds 1 shows no difference', () => {
  assert.is(showsDifference({ value: 1.02, low: 0.99, high: 1.05 }), false)
  assert.is(showsDifference({ value: 1.02, low: 1.01, high: 1.03 }), true)
  assert.is(showsDifference({ value: 0.9, low: 0.85, high: 0.95 }), true)
})

/** Samples around a figure, with a noise of a few percent and a far one now and then. */
function noisy(figure: number, count: number, seed: number): number[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => figure * (1 + 0.06 * (random() - 0.5)) * (random() < 0.02 ? 5 : 1))
}

test('values far out are counted, and ordinary spread is not', () => {
  assert.is(countOutliers([1, 1.1, 0.9, 1.05, 0.95, 1, 9]), 1)
  assert.is(countOutliers([1, 2, 3, 4, 5, 6, 7]), 0)
  assert.is(countOutliers([]), 0)
})

test('a change of a ratio between two runs is found on a machine that became slower in between', () => {
  const pair = (figure: number, machine: number, seed: number) => ({
    samples: noisy(figure * machine, 60, seed),
    base: noisy(machine, 60, seed + 100),
  })
  for (let seed = 1; seed <= 10; seed++) {
    const planted = estimateChange(pair(2.2, 1.7, seed), pair(2, 1, seed + 50), { seed, resamples: 400 })
    assert.ok(planted.low > 1 && Math.abs(planted.value - 1.1) < 0.04, JSON.stringify({ seed, planted }))
    const same = estimateChange(pair(2, 1.7, seed), pair(2, 1, seed + 50), { seed, resamples: 400 })
    assert.ok(Math.abs(same.value - 1) < 0.04, JSON.stringify({ seed, same }))
  }
})

test('a spell of the machine that meets one side alone is no change between two runs', () => {
  /** Noise of which a tenth is new in each round. */
  const spells = (seed: number) => {
    let level = 0
    return normal(400, 0, 0.02, seed).map((step) => {
      level = 0.9 * level + step
      return 1 + level
    })
  }
  const still = Array.from({ length: 400 }, () => 1)
  const run = (seed: number) => ({ samples: spells(seed), base: still })
  let claimed = 0
  for (let seed = 1; seed <= 100; seed++)
    if (showsDifference(estimateChange(run(seed), run(seed + 1000), { seed, resamples: 200 }))) claimed++
  // Drawn round by round it is more than half of them.
  assert.ok(claimed <= 25, `${claimed} of 100`)
})

test('many comparisons take wider intervals', () => {
  const samples = noisy(1, 60, 3)
  const alone = estimateMedian(samples, { seed: 1 })
  const ofMany = estimateMedian(samples, { seed: 1, confidence: familyConfidence(50) })
  assert.is(familyConfidence(1), 0.95)
  assert.ok(Math.abs(familyConfidence(50) - 0.999) < 1e-9)
  assert.ok(ofMany.high - ofMany.low > alone.high - alone.low)
})

test('growth is the power of the size, and a far value does not bend it', () => {
  const sizes = [1, 10, 100, 1000]
  const grown = (power: number) => sizes.map((size, index) => ({ size, samples: noisy(3 * size ** power, 40, index + 1) }))
  for (const power of [0, 0.5, 1]) {
    const { value, low, high } = estimateGrowth(grown(power), { seed: 1, resamples: 400 })
    assert.ok(Math.abs(value - power) < 0.02 && low <= value && value <= high, `${power}: ${value}`)
  }
  assert.ok(Number.isNaN(estimateGrowth([{ size: 1, samples: [1] }], { seed: 1 }).value))
})

test.run()
