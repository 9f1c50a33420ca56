"""SynthMoments: rendered videos whose moments are known exactly.

`world` draws a scene from a seed, `events` says what happens in it, `render` turns it into frames,
`language` and `rows` put it into words and data rows, `files` writes mp4 files.
"""
