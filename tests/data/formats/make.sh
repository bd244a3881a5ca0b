#!/bin/sh
# Made the files beside it: one second in each format that is decoded, 440 Hz left and 1,000 Hz
# right, amplitude 0.25. Needs ffmpeg with libmp3lame, libvorbis and libopus.
set -eu
cd "$(dirname "$0")"

# make RATE OPTIONS... FILE
make() {
    rate=$1
    shift
    ffmpeg -v error -y -f lavfi -i "aevalsrc=0.25*sin(2*PI*440*t)|0.25*sin(2*PI*1000*t):s=$rate:d=1" "$@"
}

# LAME takes 5 % off what it is given.
make 44100 -af volume=1/0.95 -c:a libmp3lame -b:a 64k tones.mp3
make 44100 -c:a libvorbis -q:a 0 vorbis.ogg
make 44100 -c:a libopus -b:a 48k tones.opus
make 44100 -c:a aac -b:a 96k aac.m4a
make 44100 -c:a aac -b:a 96k -f adts adts.aac
# What loses nothing is long: lower rates.
make 4000 -c:a flac -compression_level 12 tones.flac
make 8000 -c:a pcm_s16le s16.wav
make 4000 -c:a alac alac.m4a
make 4000 -c:a pcm_f32le f32.wav
