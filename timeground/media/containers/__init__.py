"""What a video file says of itself: its frames' times, its orientation, whether it is whole."""
