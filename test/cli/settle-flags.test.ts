import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { addRunFlags } from '../../src/cli/run-options.js'
import { settleFlags } from '../../src/cli/settle-flags.js'
import { suite } from '../support/suite.js'

const test = suite('cli/settle-flags')
const parser = new Command()
addRunFlags(parser)
const settle = (words: string) => settleFlags(words.split(' '), parser.options, { takesProgram: true }).join(' ')

test('a flag may be given a truth value, and false takes back what came before', () => {
  assert.is(settle('--rm=true -i=1 -t=T bb true'), '--rm -i -t bb true')
  assert.is(settle('--rm --tty=false -i --rm=0 bb true'), '-i bb true')
  assert.is(settle('--sig-proxy=false bb'), '--no-sig-proxy bb')
  assert.is(settle('--sig-proxy=true bb'), '--sig-proxy bb')
  assert.throws(() => settle('--rm=maybe bb'), /invalid argument "maybe" for "--rm"/)
})

test('values of other flags and words of the guest stay as they are', () => {
  assert.is(settle('-e --rm=true --name --rm=false bb'), '-e --rm=true --name --rm=false bb')
  assert.is(settle('-ie --rm=true bb --rm=false'), '-i -e --rm=true bb --rm=false')
  assert.is(settle('-e A=1 -- --rm=false'), '-e A=1 -- --rm=false')
})

test('one "=" after a short flag is no part of its value', () => {
  assert.is(settle('-w=/tmp -u=5 -h=x -e=A=1 -e==1 -m=64m bb -w=/x'), '-w/tmp -u5 -hx -eA=1 -e=1 -m64m bb -w=/x')
  assert.is(settle('-itw=/tmp bb'), '-i -t -w/tmp bb')
  assert.is(settle('-w= bb'), '-w= bb')
})

test('in a group of short flags a truth value is that of the last', () => {
  assert.is(settle('-it=true bb'), '-i -t bb')
  assert.is(settle('-t -it=false bb'), '-i bb')
  assert.throws(() => settle('-it=5 bb'), /invalid argument "5" for "-t"/)
})

test('flags of a command that takes no program are settled wherever they stand', () => {
  const listing = new Command()
    .option('-f, --follow', '')
    .option('-n, --tail <lines>', '')
    .option('--no-trunc', '')
    .option('-s, --signal <name>', '')
  const settleAll = (words: string) => settleFlags(words.split(' '), listing.options, { takesProgram: false }).join(' ')
  assert.is(settleAll('web --follow=true -n=5 -- --follow=true'), 'web --follow -n5 -- --follow=true')
  assert.is(settleAll('--no-trunc=true'), '--no-trunc')
  assert.is(settleAll('--no-trunc --no-trunc=false web'), 'web')
  assert.is(settleAll('-n -1 web - --tail -2'), '-n -1 web - --tail -2')
  assert.throws(() => settleAll('web -9'), /unknown shorthand flag: '9' in -9/)
})

test.run()
