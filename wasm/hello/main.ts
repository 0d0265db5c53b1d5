import { print } from '../wasi/console'

print('hello from wasm')
