//! COMPRESS on the client's side: one raw DEFLATE stream in each direction for the whole session, as zlib has it.

use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params};
use miniz_oxide::inflate::stream::{InflateState, inflate};
use miniz_oxide::{DataFormat, MZError, MZFlush};

const BEST: i32 = 9;
const RAW: i32 = -15;

pub struct Deflate {
    inflater: Box<InflateState>,
    compressor: Box<CompressorOxide>,
}

impl Deflate {
    pub fn new() -> Self {
        Self {
            inflater: InflateState::new_boxed(DataFormat::Raw),
            compressor: Box::new(CompressorOxide::new(create_comp_flags_from_zip_params(BEST, RAW, 0))),
        }
    }

    pub fn compress(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        compress_to_output(&mut self.compressor, octets, TDEFLFlush::Sync, |piece| {
            wire.extend_from_slice(piece);
            true
        });
        wire
    }

    pub fn inflate(&mut self, mut wire: &[u8]) -> Result<Vec<u8>, String> {
        let (mut octets, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            let result = inflate(&mut self.inflater, wire, &mut buffer, MZFlush::None);
            wire = &wire[result.bytes_consumed..];
            octets.extend_from_slice(&buffer[..result.bytes_written]);
            match result.status {
                Ok(_) if result.bytes_consumed > 0 || result.bytes_written > 0 => {}
                Ok(_) | Err(MZError::Buf) if wire.is_empty() => return Ok(octets),
                other => return Err(format!("what the server sends is not compressed: {other:?}")),
            }
        }
    }
}
