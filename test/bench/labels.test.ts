import * as assert from 'uvu/assert'
import { placeLabels } from '../../bench/labels.js'
import { seededRandom } from '../../bench/random.js'
import { suite } from '../support/suite.js'

const test = suite('bench/labels')
const WIDTH = 760
const HEIGHT = 14

test('a name stands beside its point, and left of it where the plot ends', () => {
  const [left, right] = placeLabels(
    [
      { name: 'bare', x: 100, y: 50 },
      { name: 'qemu-tcg', x: 740, y: 200 },
    ],
    WIDTH,
  )
  assert.ok(left && left.labelX > 100 && left.labelY === 50)
  assert.ok(right && right.labelX < 740 - 8 * 6 && right.labelY === 200)
})

test('no name covers another, however near their points are', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed)
    const points = Array.from({ length: 16 }, (_, index) => ({ name: `mode-${index}`, x: 300 + 200 * random(), y: 100 + 60 * random() }))
    const placed = placeLabels(points, WIDTH)
    for (const [index, one] of placed.entries())
      for (const other of placed.slice(index + 1)) {
        const [left, right] = one.labelX < other.labelX ? [one, other] : [other, one]
        const apart = Math.abs(one.labelY - other.labelY) >= HEIGHT || right.labelX - left.labelX >= left.name.length * 6
        assert.ok(apart, JSON.stringify({ seed, one, other }))
      }
  }
})

test.run()
