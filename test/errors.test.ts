import * as assert from 'uvu/assert'
import { afterCleanUp, EngineError } from '../src/errors.js'
import { suite } from './support/suite.js'

const test = suite('errors')

test('what fails on the way back hides neither the first error nor its cause, and every step is tried', async () => {
  const first = new EngineError('LAUNCHER_FAILED', 'first', { cause: new Error('why') })
  const steps: string[] = []
  const step = (name: string, failure?: Error) => async () => {
    steps.push(name)
    if (failure !== undefined) throw failure
  }
  const thrown = await afterCleanUp(first, step('a', new Error('stuck')), step('b'), step('c', new Error('busy')))
  assert.is(thrown, first)
  assert.equal(steps, ['a', 'b', 'c'])
  const { cause } = first as { cause: AggregateError }
  assert.match(cause.message, /stuck; busy$/)
  assert.is((cause.cause as Error).message, 'why')
})

test('a way back without a failure leaves the error as it is', async () => {
  const first = new Error('first')
  assert.is(await afterCleanUp(first, () => {}), first)
  assert.is(first.cause, undefined)
})

test.run()
