"""Any model of transformers that takes video or pictures, through its own processor, chat template and cache.

`checkpoint` opens it; `messages` and `prompts` have its processor write prompts; `time_text`, `sizes` and
`own_sampling` measure what it writes, and `asking` decides by that; `prefix` answers from one filled cache; `session`
and `model` are what methods ask.
"""
