//! PNG and JPEG files as pixels.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::preprocessing::directory::Sought;
use crate::{Error, Result};

/// Pictures in a folder.
pub(super) const PICTURES: Sought = Sought {
    what: "pictures",
    keras: "images",
    endings: &[".png", ".jpg", ".jpeg"],
    others: &[
        ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".heic", ".avif",
    ],
};

/// A larger picture is refused: unpacked it would take more than 256 MB.
const MAX_PIXELS: u64 = 1 << 26;
/// A larger file is refused.
const MAX_BYTES: u64 = 1 << 28;

/// Pixels in row-major order, of 1 to 4 bytes: grey, grey and alpha, colours, colours and alpha.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Picture {
    pub height: usize,
    pub width: usize,
    pub channels: usize,
    pub pixels: Vec<u8>,
}

/// The picture in a file.
///
/// # Errors
/// [`Error::File`] if it is missing, damaged, too large or of another kind.
pub(super) fn read(path: &Path) -> Result<Picture> {
    let failed = |message: String| Error::File {
        path: path.to_owned(),
        message,
    };
    let size = fs::metadata(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    if size.len() > MAX_BYTES {
        return Err(failed(format!(
            "expected a picture of up to {MAX_BYTES} bytes, found {}",
            size.len()
        )));
    }
    let bytes = fs::read(path).map_err(|error| failed(format!("cannot be read: {error}")))?;
    decode(&bytes).map_err(failed)
}

pub(super) fn decode(bytes: &[u8]) -> Result<Picture, String> {
    // Where in the file each begins with what.
    let kinds: [(usize, &[u8], &str); 9] = [
        (0, b"\x89PNG", "PNG"),
        (0, b"\xff\xd8", "JPEG"),
        (0, b"GIF8", "GIF"),
        (0, b"BM", "BMP"),
        (8, b"WEBP", "WebP"),
        (0, b"II*\0", "TIFF"),
        (0, b"MM\0*", "TIFF"),
        (4, b"ftypavif", "AVIF"),
        (4, b"ftyp", "HEIC"),
    ];
    let is = |(at, magic): (usize, &[u8])| bytes.get(at..).is_some_and(|b| b.starts_with(magic));
    let kind = kinds
        .iter()
        .find(|(at, magic, _)| is((*at, magic)))
        .map(|(_, _, name)| *name);
    match kind {
        Some("PNG") => png(bytes).map_err(|error| format!("the PNG picture is damaged: {error}")),
        Some("JPEG") => {
            jpeg(bytes).map_err(|error| format!("the JPEG picture is damaged: {error}"))
        }
        Some(other) => Err(format!(
            "expected a picture as PNG or JPEG, found {other}; save it as PNG"
        )),
        None if bytes.is_empty() => Err("expected a picture, found an empty file".to_owned()),
        None => Err(format!(
            "expected a picture as PNG or JPEG, found a file that begins with {:02x?}",
            &bytes[..bytes.len().min(4)]
        )),
    }
}

fn check_size(width: u64, height: u64) -> Result<(), String> {
    match width.checked_mul(height) {
        Some(1..=MAX_PIXELS) => Ok(()),
        _ => Err(format!(
            "it claims {width} × {height} pixels; expected 1 to {MAX_PIXELS}"
        )),
    }
}

fn png(bytes: &[u8]) -> Result<Picture, String> {
    let mut decoder = png::Decoder::new_with_limits(
        Cursor::new(bytes),
        png::Limits {
            bytes: MAX_BYTES as usize,
        },
    );
    // Palettes and few bits become bytes, of sixteen bits the upper eight stay.
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let (width, height) = (reader.info().width, reader.info().height);
    check_size(width.into(), height.into())?;
    let size = reader.output_buffer_size().ok_or("it is too large")?;
    let mut pixels = vec![0; size];
    let frame = reader
        .next_frame(&mut pixels)
        .map_err(|error| error.to_string())?;
    pixels.truncate(frame.buffer_size());
    let (width, height) = (frame.width as usize, frame.height as usize);
    let channels = frame.color_type.samples();
    if pixels.len() != width * height * channels {
        return Err("it has fewer pixels than it claims".to_owned());
    }
    Ok(Picture {
        height,
        width,
        channels,
        pixels,
    })
}

fn jpeg(bytes: &[u8]) -> Result<Picture, String> {
    // The decoder fills up what is missing with grey; a file that was cut off has no end marker after
    // its last scan.
    let marker = |code: u8, bytes: &[u8]| {
        let mut pairs = bytes.windows(2);
        pairs.rposition(|pair| pair == [0xff, code])
    };
    let scan = marker(0xda, bytes).ok_or("it has no pixels")?;
    if marker(0xd9, &bytes[scan..]).is_none() {
        return Err(format!("it is cut off after {} bytes", bytes.len()));
    }
    let options = DecoderOptions::default()
        .set_max_width(1 << 16)
        .set_max_height(1 << 16);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let said = |error: zune_jpeg::errors::DecodeErrors| format!("{error}");
    decoder.decode_headers().map_err(said)?;
    let info = decoder.info().ok_or("it has no header")?;
    check_size(info.width.into(), info.height.into())?;
    let (color, channels) = match info.components {
        1 => (ColorSpace::Luma, 1),
        _ => (ColorSpace::RGB, 3),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(color));
    let pixels = decoder.decode().map_err(said)?;
    let (width, height) = (info.width.into(), info.height.into());
    if pixels.len() != width * height * channels {
        return Err(format!(
            "expected {} bytes of pixels, found {}",
            width * height * channels,
            pixels.len()
        ));
    }
    Ok(Picture {
        height,
        width,
        channels,
        pixels,
    })
}

impl Picture {
    /// The same picture with 1 channel (grey), 3 (colours) or 4 (colours and alpha), as Pillow converts.
    pub fn with_channels(self, channels: usize) -> Picture {
        if self.channels == channels {
            return self;
        }
        let from = self.channels;
        let mut pixels = Vec::with_capacity(self.pixels.len() / from * channels);
        for pixel in self.pixels.chunks_exact(from) {
            let (colors, alpha) = match *pixel {
                [grey] => ([grey; 3], 255),
                [grey, alpha] => ([grey; 3], alpha),
                [r, g, b] => ([r, g, b], 255),
                [r, g, b, alpha, ..] => ([r, g, b], alpha),
                [] => continue,
            };
            match channels {
                1 if from < 3 => pixels.push(colors[0]),
                1 => pixels.push(grey(colors)),
                3 => pixels.extend(colors),
                _ => pixels.extend([colors[0], colors[1], colors[2], alpha]),
            }
        }
        Picture {
            channels,
            pixels,
            ..self
        }
    }
}

/// ITU-R 601 luma, in Pillow's whole numbers.
fn grey([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}
