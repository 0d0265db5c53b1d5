import { given, taken } from '../host/text'

export { allocate, free } from '../host/text'

/** A title as the last part of an address: `Hello, World!` is `hello-world`. */
export function slug(pointer: usize, length: usize): u64 {
  const title = taken(pointer, length).toLowerCase()
  let slug = ''
  let gap = false
  for (let place = 0; place < title.length; place++) {
    const code = title.charCodeAt(place)
    const stays = (code >= 97 && code <= 122) || (code >= 48 && code <= 57) || code > 127
    if (!stays) {
      gap = slug.length > 0
      continue
    }
    if (gap) slug += '-'
    gap = false
    slug += title.charAt(place)
  }
  return given(slug)
}

/** How many bytes of the title's characters an address would have at most. */
export function longest(characters: i32): i32 {
  return characters * 3
}
