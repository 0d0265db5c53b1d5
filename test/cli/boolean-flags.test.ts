import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { settleBooleans } from '../../src/cli/boolean-flags.js'
import { addRunFlags } from '../../src/cli/run-options.js'
import { suite } from '../support/suite.js'

const test = suite('cli/boolean-flags')
const parser = new Command()
addRunFlags(parser)
const settle = (words: string) => settleBooleans(words.split(' '), parser.options).join(' ')

test('a flag may be given a truth value, and false takes back what came before', () => {
  assert.is(settle('--rm=true -i=1 -t=T bb true'), '--rm -i -t bb true')
  assert.is(settle('--rm --tty=false -i --rm=0 bb true'), '-i bb true')
  assert.throws(() => settle('--rm=maybe bb'), /invalid argument "maybe" for "--rm"/)
})

test('values of other flags and words of the guest stay as they are', () => {
  assert.is(settle('-e --rm=true --name --rm=false bb'), '-e --rm=true --name --rm=false bb')
  assert.is(settle('-ie --rm=true bb --rm=false'), '-ie --rm=true bb --rm=false')
  assert.is(settle('-e=1 -- --rm=false'), '-e=1 -- --rm=false')
})

test.run()
