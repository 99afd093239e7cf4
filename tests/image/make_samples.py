#!/usr/bin/python3
"""Writes samples.h (small encoded images and what Pillow decodes them to) and prints the golden numbers that
image_test.cpp, resize_test.cpp and fidelity_test.cpp hold. Run: python3 make_samples.py > /tmp/golden.txt
Needs Pillow 9.4, numpy, scipy, OpenCV 4.6 (Debian 12's python3-pil, -numpy, -scipy, -opencv)."""
import hashlib
import io
import os
import struct
import zlib

import cv2
import numpy as np
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter


def noise(width, height):
    """The same bytes as tests/image/noise.h."""
    h = (np.arange(width * height * 3, dtype=np.uint64) * 2654435761) & 0xFFFFFFFF
    h ^= h >> np.uint64(15)
    h = (h * 2246822519) & 0xFFFFFFFF
    h ^= h >> np.uint64(13)
    return (h & 255).astype(np.uint8).reshape(height, width, 3)


def scene(width, height):
    """Smooth with a little noise, so that JPEG has something to predict."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 // width, y * 255 // height, (x + y) * 127 // (width + height)], 2)
    return (base * 3 // 4 + noise(width, height) // 4).astype(np.uint8)


def encoded(image, fmt, **options):
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def rgb_digest(image):
    return hashlib.sha256(np.asarray(image.convert('RGB')).tobytes()).hexdigest()


def png_16bit(width, height):
    """8-bit Pillow cannot write this one: 16-bit RGB whose high bytes are the scene."""
    pixels = np.stack([scene(width, height), noise(width, height)], 3)
    rows = b''.join(b'\0' + row.tobytes() for row in pixels)

    def chunk(kind, data):
        return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 16, 2, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))


def tiff_16bit(width, height):
    data = ((scene(width, height).astype('<u2') << 8) | noise(width, height)).tobytes()
    bits = 8 + len(data)
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, bits), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 8),
               (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data))]
    directory = b''.join(struct.pack('<HHII', *entry) for entry in entries)
    return (b'II*\0' + struct.pack('<I', bits + 6) + data + struct.pack('<HHHH', 16, 16, 16, len(entries)) + directory +
            bytes(4))


def samples():
    w, h = 19, 13
    image = Image.fromarray(scene(w, h))
    alpha = Image.fromarray(np.dstack([scene(w, h), noise(w, h)[:, :, 0]]), 'RGBA')
    exif = Image.Exif()
    exif[0x0112] = 6
    yield 'jpeg_420', encoded(image, 'JPEG', quality=60)
    yield 'jpeg_444_exif_rotated', encoded(image, 'JPEG', quality=60, subsampling=0, exif=exif)
    yield 'jpeg_progressive', encoded(image, 'JPEG', quality=60, progressive=True)
    yield 'jpeg_grey', encoded(image.convert('L'), 'JPEG', quality=60)
    yield 'jpeg_cmyk', encoded(image.convert('CMYK'), 'JPEG', quality=60)
    yield 'png_rgb', encoded(image, 'PNG')
    yield 'png_rgba', encoded(alpha, 'PNG')
    yield 'png_palette', encoded(image.quantize(8), 'PNG', transparency=3)
    yield 'png_grey', encoded(image.convert('L'), 'PNG')
    yield 'png_bilevel', encoded(image.convert('1'), 'PNG')
    yield 'png_16bit', png_16bit(w, h)
    yield 'bmp_24', encoded(image, 'BMP')
    yield 'bmp_32', encoded(alpha, 'BMP')
    yield 'bmp_palette', encoded(image.quantize(8), 'BMP')
    yield 'ppm', encoded(image, 'PPM')
    yield 'ppm_max_100', b'P6\n# a comment\n4 3\n100\n' + bytes(range(0, 72, 2))
    yield 'pgm', encoded(image.convert('L'), 'PPM')
    yield 'webp_lossy', encoded(image, 'WEBP', quality=60)
    yield 'webp_lossless', encoded(image, 'WEBP', lossless=True)
    yield 'webp_alpha', encoded(alpha, 'WEBP', lossless=True, exact=True)
    yield 'png_exif_rotated', encoded(image, 'PNG', exif=exif)
    yield 'webp_exif_rotated', encoded(image, 'WEBP', lossless=True, exif=exif)
    yield 'tiff_raw', encoded(image, 'TIFF')
    yield 'tiff_rotated', encoded(image, 'TIFF', tiffinfo={274: 6})
    yield 'tiff_16bit', tiff_16bit(w, h)
    yield 'tiff_lzw', encoded(image, 'TIFF', compression='tiff_lzw')
    yield 'tiff_grey', encoded(image.convert('L'), 'TIFF', compression='tiff_adobe_deflate')


def write_samples(path):
    with open(path, 'w') as out:
        out.write('// Written by make_samples.py: images encoded by Pillow, and the SHA-256 of what Pillow decodes them to.\n'
                  '#pragma once\n\n#include <array>\n#include <string_view>\n\nnamespace steadyiqa::image {\n\n'
                  'struct Sample {\n  std::string_view name;\n  std::string_view hex;     ///< the encoded file\n'
                  '  std::string_view sha256;  ///< of the bytes of Image.open(...).convert("RGB")\n};\n\n'
                  '// clang-format off\n')
        entries = list(samples())
        out.write(f'inline constexpr std::array<Sample, {len(entries)}> kSamples = {{{{\n')
        for name, data in entries:
            text = data.hex()
            lines = '\n'.join(f'     "{text[i:i + 108]}"' for i in range(0, len(text), 108))
            out.write(f'    {{"{name}",\n{lines},\n     "{rgb_digest(Image.open(io.BytesIO(data)))}"}},\n')
        out.write('}};\n// clang-format on\n\n}  // namespace steadyiqa::image\n')


def similarity(x, y):
    def blur(a):  # truncate 3.5: a radius of 5, an 11x11 window
        return gaussian_filter(a, 1.5, truncate=3.5)[5:-5, 5:-5]
    mx, my = blur(x), blur(y)
    cs = ((2 * (blur(x * y) - mx * my) + 58.5225) /
          (blur(x * x) - mx * mx + blur(y * y) - my * my + 58.5225))
    return (cs * (2 * mx * my + 6.5025) / (mx * mx + my * my + 6.5025)).mean(), cs.mean()


def luma(image):
    return image.astype(float) @ [0.299, 0.587, 0.114]


def ms_ssim(x, y):
    weights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
    terms = []
    while len(terms) < 5 and min(x.shape) >= 11:
        terms.append(similarity(x, y))
        pad = [(0, x.shape[0] % 2), (0, x.shape[1] % 2)]
        x, y = (np.pad(a, pad, 'symmetric') for a in (x, y))
        x, y = ((a[::2, ::2] + a[1::2, ::2] + a[::2, 1::2] + a[1::2, 1::2]) / 4 for a in (x, y))
    weights = np.array(weights[:len(terms)]) / sum(weights[:len(terms)])
    values = [max(cs, 0) for _, cs in terms[:-1]] + [max(terms[-1][0], 0)]
    return np.prod(np.power(values, weights))


def main():
    write_samples(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'samples.h'))
    for w, h, ow, oh in [(50, 40, 25, 20), (37, 53, 224, 224), (101, 67, 64, 48), (16, 16, 16, 9), (16, 16, 7, 16),
                         (33, 21, 33, 21), (1, 1, 5, 3), (300, 7, 11, 40), (64, 48, 1, 1), (512, 384, 224, 224), (1024, 768, 384, 512), (640, 480, 384, 512), (500, 500, 664, 498),
                         (664, 498, 500, 500), (768, 1024, 498, 664), (225, 224, 224, 225), (3, 1000, 7, 999),
                         (97, 89, 194, 178), (255, 257, 256, 256), (1000, 3, 1, 2)]:
        resized = Image.fromarray(noise(w, h)).resize((ow, oh), Image.BILINEAR)
        print(f'{{{w}, {h}, {ow}, {oh},\n "{rgb_digest(resized)}"}},')
    for w, h, ow, oh in [(50, 40, 25, 20), (37, 53, 224, 224), (101, 67, 64, 48), (16, 16, 16, 9), (16, 16, 7, 16),
                         (33, 21, 33, 21), (1, 1, 5, 3), (300, 7, 11, 40), (64, 48, 1, 1), (512, 384, 224, 224),
                         (1024, 768, 224, 224), (225, 224, 224, 224)]:
        digest = hashlib.sha256(cv2.resize(noise(w, h), (ow, oh), interpolation=cv2.INTER_CUBIC).tobytes()).hexdigest()
        print(f'{{{w}, {h}, {ow}, {oh},\n "{digest}"}}, // cubic')
    encodings = dict(samples())
    tag = bytes.fromhex('011200030000000100060000')
    for orientation in range(1, 9):
        data = encodings['jpeg_444_exif_rotated'].replace(tag, tag[:9] + bytes([orientation]) + tag[10:])
        print('upright', rgb_digest(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))))
    for name in ('png_exif_rotated', 'webp_exif_rotated'):
        print(name, rgb_digest(ImageOps.exif_transpose(Image.open(io.BytesIO(encodings[name])))))
    for quality in (10, 75, 95):
        data = encoded(Image.fromarray(scene(61, 45)), 'JPEG', quality=quality)
        print('encode_jpeg', quality, rgb_digest(Image.open(io.BytesIO(data))))
    for w, h in [(200, 179), (61, 45)]:
        x, y = scene(w, h), noise(w, h)
        y = ((x.astype(int) * 7 + y) // 8).astype(np.uint8)
        mse = ((x.astype(float) - y) ** 2).mean()
        print('fidelity', w, h, 'psnr %.12f ssim %.12f ms_ssim %.12f' %
              (10 * np.log10(255 ** 2 / mse), similarity(luma(x), luma(y))[0], ms_ssim(luma(x), luma(y))))
    x = scene(64, 64)
    print('negative', 'ssim %.12f ms_ssim %.12f' % (similarity(luma(x), luma(255 - x))[0], ms_ssim(luma(x), luma(255 - x))))


main()
