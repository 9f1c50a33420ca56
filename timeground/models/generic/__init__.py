"""Any model of transformers that takes video or pictures, through its own processor, chat template and cache.

`checkpoint` opens it, `prompts` has its processor write prompts, `time_text` measures which times that text carries,
`prefix` answers from one filled cache, `session` and `model` are what methods ask.
"""
