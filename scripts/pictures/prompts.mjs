/** What the pictures of the README and of docs/samplers.md show. */
export const PROMPTS = [
  'a red heart on a white background',
  'a pizza on a purple background',
  'a cat on a blue background',
  'a rocket on a yellow background',
  'a strawberry on a white background',
  'a dog on a green background',
  'a tree on a blue background',
  'a star on a black background'
]
